import type { Account } from '../../../src/account/model.ts';
import {
  type PermissionTemplate,
  parsePermissionTemplate,
} from '../../../src/account/permission-template.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { newToken, tokenDigest } from '../../../src/account/token.ts';
import type { Clock } from '../../../src/clock.ts';
import { createDecider, type Decision } from '../../../src/decision/decide.ts';
import type { Origin } from '../../../src/decision/origin.ts';
import type { Route } from '../../../src/decision/route.ts';
import type { Verdict } from '../../../src/decision/verdict.ts';
import type { Peer, RequestHead } from '../../../src/http/request-head.ts';
import type { Lookup, RegistryView } from '../../../src/registry/replica/port.ts';
import { account, role } from '../account/samples.ts';

function templateOf(permission: string | null = null): PermissionTemplate | null {
  const template = permission === null ? null : parsePermissionTemplate(permission);
  return typeof template === 'string' ? null : template;
}

export function route(changes: Partial<Route> = {}): Route {
  return {
    name: 'sample',
    host: '*',
    path: '/apps/{application}/**',
    methods: ['GET', 'POST'],
    access: 'account',
    application: { from: 'any' },
    permission: 'deployments:read',
    upstreamChecksApplications: false,
    bodyVariables: [],
    bodyVariableBytes: 65536,
    permissionTemplate: templateOf(changes.permission),
    upstream: 'deployments',
    stripPrefix: '',
    caseInsensitive: false,
    acceptBareToken: false,
    headers: null,
    cors: null,
    acceptBasic: false,
    forwardAuthorization: false,
    audit: 'required',
    errors: 'problem',
    rateLimit: null,
    upgrade: [],
    bodyOn: [],
    action: null,
    rewriteOrigin: [],
    ...changes,
  };
}

export function head(changes: Partial<RequestHead> = {}): RequestHead {
  const path = changes.path ?? '/apps/crm/status';
  return {
    method: 'GET',
    target: path,
    path,
    version: '1.1',
    host: 'gate.example:8443',
    names: [],
    values: [],
    authorization: null,
    userAgent: null,
    framing: { kind: 'none', declared: false },
    nominated: [],
    takesTrailers: false,
    upgrade: null,
    expectsContinue: false,
    keepAlive: true,
    ...changes,
  };
}

const byPath = { from: 'path', variable: 'application' } as const;
const EVERY_METHOD = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
export const ROUTES: readonly Route[] = [
  route({ name: 'read', methods: ['GET'], application: byPath }),
  route({ name: 'write', methods: ['POST'], application: byPath, permission: 'deployments:write' }),
  route({ name: 'any', path: '/all/**', methods: EVERY_METHOD, permission: 'deployments:write' }),
  route({
    name: 'fixed',
    path: '/fixed',
    methods: ['GET'],
    application: { from: 'fixed', name: 'crm' },
  }),
  route({
    name: 'probe',
    path: '/healthz',
    methods: ['GET', 'HEAD'],
    access: 'public',
    permission: null,
  }),
  route({
    name: 'bare',
    path: '/download/{application}',
    methods: ['GET'],
    application: byPath,
    acceptBareToken: true,
  }),
  route({
    name: 'folded',
    path: '/Any/{application}',
    methods: ['GET'],
    application: byPath,
    caseInsensitive: true,
  }),
];

export const ROLES = [
  role('viewer', 'deployments:read'),
  role('deployer', 'deployments:*'),
  role('all', '*'),
];

export const PEER: Peer = { address: '127.0.0.1', port: 40000, secure: true };
/** From where a call comes, where that says nothing. */
export const ANYWHERE: Origin = { address: PEER.address, certificate: null };
export const NOW_MS = Date.UTC(2026, 10, 1);

/**
 * A registry in memory, with the powers that a test needs: lose the lease, be unavailable, answer
 * late.
 */
export class SampleRegistry implements RegistryView {
  current = true;
  unavailable = false;
  unavailableReason: RegistryView['unavailableReason'] = 'registry-unavailable';
  late = false;
  lookups: string[] = [];
  policy = new Policy();
  readonly #accounts = new Map<string, Account>();

  put(record: Account): void {
    this.#accounts.set(record.id, record);
  }

  /** Stores an account and hands it a live token. */
  withToken(changes: Partial<Account> = {}): string {
    const record = account(changes);
    const token = newToken(record.id);
    this.put({ ...record, token: { digest: tokenDigest(token), createdAt: record.createdAt } });
    return token;
  }

  cached(id: string): Lookup | null {
    return this.late ? null : this.#answer(id);
  }

  lookup(id: string): Lookup | Promise<Lookup> {
    this.lookups.push(id);
    const answer = this.#answer(id);
    return this.late ? Promise.resolve(answer) : answer;
  }

  roleAllows(role: string, permission: string): boolean {
    return this.policy.roleAllows(role, permission);
  }

  ownerOf(application: string): string | null {
    return this.policy.ownerOf(application);
  }

  ownedLike(folded: string): readonly string[] {
    return this.policy.ownedLike(folded);
  }

  ownedApplications(): Iterable<string> {
    return this.policy.ownedApplications();
  }

  applicationsOf(team: string): readonly string[] {
    return this.policy.applicationsOf(team);
  }

  #answer(id: string): Lookup {
    if (this.unavailable) return { found: 'unavailable' };
    const record = this.#accounts.get(id);
    return record === undefined
      ? { found: 'absent' }
      : { found: 'account', account: compilePrincipal(record) };
  }
}

export const clock: Clock = { wallMs: () => NOW_MS, monotonicMs: () => 0 };

export function decider(view: RegistryView, routes: readonly Route[], bodyBytes = 0) {
  const made = createDecider({ view, routes, clock, limits: { bodyBytes } });
  return {
    ...made,
    /** Decides, and insists that nothing had to be waited for. */
    now: (changes: Partial<RequestHead>): Verdict => {
      const verdict = made.decide(head(changes), PEER);
      if (verdict instanceof Promise) throw new Error('the decision waited');
      return whole(verdict);
    },
    later: async (changes: Partial<RequestHead>): Promise<Verdict> =>
      whole(await made.decide(head(changes), PEER)),
    /** With a body, or without: what a door does. */
    asked: (changes: Partial<RequestHead>, body: string | Buffer | null): Decision => {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const decision = made.decide(head(changes), PEER, undefined, bytes);
      if (decision instanceof Promise) throw new Error('the decision waited');
      return decision;
    },
  };
}

export function whole(decision: Decision): Verdict {
  if (decision.permitted === null) throw new Error('the decision asked for a body');
  return decision;
}

/** The verdict in one word. */
export function word(verdict: Verdict): string {
  return verdict.permitted ? 'permitted' : verdict.reason;
}
