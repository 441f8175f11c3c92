import type { Principal } from '../account/principal.ts';
import { tokenId } from '../account/token.ts';
import type { Clock } from '../clock.ts';
import { hasUnusualBody, isNeverAllowed, isUnsafe, methodBit } from '../http/method.ts';
import type { ClientCertificate, Peer, RequestHead } from '../http/request-head.ts';
import { readUpgrade } from '../http/upgrade.ts';
import type { GuessThrottle } from '../limits/guess-throttle.ts';
import type { RateLimiter } from '../limits/rate-limiter.ts';
import type { RefusalReason } from '../refusal.ts';
import type { Lookup, RegistryView } from '../registry/replica/port.ts';
import { authorise, detailOf } from './authorise.ts';
import { bodyFormFault, readBodyVariables } from './body-variables.ts';
import { readCredential } from './credential.ts';
import { identify, lookUp } from './identify.ts';
import { preflightOf } from './preflight.ts';
import type { Route } from './route.ts';
import { createRouteTable, type RouteMatch, type RouteTable } from './route-table.ts';
import { type BodyWish, Draft, type Permit, type Refusal, type Verdict } from './verdict.ts';
import { KEY_SET, WHOLE_SERVER, WHOLE_SERVER_MATCH } from './whole-server.ts';

export interface DecisionLimits {
  /** Largest body that a client may declare, in bytes; 0 = no limit. */
  readonly bodyBytes: number;
}

export interface DeciderOptions {
  readonly view: RegistryView;
  readonly routes: readonly Route[];
  readonly clock: Clock;
  readonly limits: DecisionLimits;
  /** What stands between the decision and the registry's look-ups. Default: nothing. */
  readonly lookups?: Pick<GuessThrottle, 'lookup' | 'guessing'>;
  /** Default: no limits. */
  readonly rates?: Pick<RateLimiter, 'ask' | 'askRefused'>;
}

/** `BodyWish` only where the body was not given. */
export type Decision = Verdict | BodyWish;

export interface Decider {
  /**
   * Decides about one request. Synchronous when the account is cached. A "no" is a value, never an
   * exception; an exception is a fault of ours and must be answered like one. Never writes a
   * response, and never waits for a body: where one decides, the answer is a wish for it, and the
   * question comes again.
   *
   * @param clientAddress of the client itself, where the peer is a trusted proxy. Default: the
   * peer's
   * @param body all of it, as it came without its framing; null = it was not asked for
   * @param certificate that the client itself has shown. Default: none
   */
  decide(
    head: RequestHead,
    peer: Peer,
    clientAddress?: string,
    body?: Buffer | null,
    certificate?: ClientCertificate | null,
  ): Decision | Promise<Decision>;
  /**
   * Replaces all routes at once; requests that have been matched keep theirs. Throws a `TypeError`,
   * and keeps the old ones, for routes that must not exist.
   */
  setRoutes(routes: readonly Route[]): void;
  setLimits(limits: DecisionLimits): void;
  /** The routes in force, for `explain`. */
  readonly table: RouteTable;
}

export function createDecider(options: DeciderOptions): Decider {
  const { view, clock, rates = NO_LIMITS } = options;
  const lookups = options.lookups ?? {
    lookup: (id: string) => view.lookup(id),
    guessing: () => null,
  };
  const identification = { view, clock, lookups };
  let table = createRouteTable(options.routes);
  let limits = options.limits;

  /** The whole way of a request, in the order in which it happens. */
  function decide(
    head: RequestHead,
    clientAddress: string,
    body: Buffer | null,
    certificate: ClientCertificate | null,
  ): Decision | Promise<Decision> {
    // What is found on the way is written down here, and becomes the verdict.
    const draft = new Draft();

    // 1. Admit: what no route and no account could make acceptable is refused before anything else
    //    is looked at.
    const inadmissible = admit(head, limits);
    if (inadmissible !== null) return refuse(draft, inadmissible);

    // 2. Lease: an instance that may be out of date knows nothing, not even which routes are public
    //    (contract: 503 to all).
    if (!view.current) return refuse(draft, view.unavailableReason);

    // 3. HTTP/1.0 may name no host. The upstream is told one all the same: where routes are told
    //    apart by host, that could be another one than was decided on.
    if (head.host === '' && table.namesHosts)
      return refuse(draft, 'request-ambiguous', NO_METHODS, NO_HOST);

    // 4. A browser's preflight, where the route of the call that it asks about takes calls from
    //    the page: browsers send no token with it. Everything else is a request like any other.
    const preflight = table.answersPreflights ? preflightOf(head) : null;
    if (preflight !== null) {
      const asked = table.match(head.host, head.path, preflight.method);
      if (asked.kind === 'route' && asked.route.cors?.origins.includes(preflight.origin))
        return permit(draft, asked.route, head.method, preflight.method);
    }

    // 5. Match, silently: only an authenticated caller learns what does not exist.
    //    `OPTIONS *` is about the gate, and for whoever is known.
    const asksGate = head.path === '*';
    const match = asksGate ? WHOLE_SERVER_MATCH : table.match(head.host, head.path, head.method);
    const route = match.kind === 'route' && !asksGate ? match.route : null;
    draft.route = route;

    // 6. Public routes end here: no token is read, so none can leak into a record or be judged by
    //    accident. And no body: to an upstream that does not look for one it is a second request.
    if (route?.access === 'public') {
      const { kind } = head.framing;
      // In HTTP/1.1 it is passed over.
      if (head.upgrade !== null && head.version === '2') return refuse(draft, 'upgrade-refused');
      return kind === 'none' || kind === 'elsewhere'
        ? withinLimits(draft, route, head.method)
        : refuse(draft, 'body-refused');
    }

    // 7. Authenticate: form and checksum first, without asking anyone.
    const credential = readCredential(head.authorization, route);
    if (credential.presented === 'nothing') return refuse(draft, 'token-missing');
    draft.scheme = credential.scheme;
    if (credential.presented === 'malformed')
      return refuse(draft, 'token-malformed', NO_METHODS, credential.detail);

    // 8. One look-up by the id that the token names.
    const lookup = lookUp(identification, draft, credential.accountId, clientAddress);
    if (!(lookup instanceof Promise))
      return conclude(
        draft,
        head,
        match,
        credential.token,
        lookup,
        clientAddress,
        body,
        certificate,
      );
    return lookup.then((late) =>
      conclude(draft, head, match, credential.token, late, clientAddress, body, certificate),
    );
  }

  /**
   * From the look-up's answer to the verdict. Nothing waits from here on, so what is judged is one
   * state of the registry.
   */
  function conclude(
    draft: Draft,
    head: RequestHead,
    match: RouteMatch,
    token: string,
    lookup: Lookup,
    clientAddress: string,
    body: Buffer | null,
    certificate: ClientCertificate | null,
  ): Decision {
    // 9. Its digest decides, then status and expiry, then from where it comes.
    const unproven = identify(identification, draft, token, lookup, clientAddress, certificate);
    const { account } = draft;
    if (unproven !== null || account === null) return refuse(draft, unproven ?? 'token-unknown');

    // 10. The caller is known, and may now learn what there is not: 404, then 405.
    if (match.kind === 'none') return refuseKnown(draft, account, 'route-unknown');
    if (match.kind === 'method-refused')
      return refuseKnown(draft, account, 'method-refused', match.allow);

    // 11. Authorise: 403. What the route is decided by may stand in the body, which must then be
    //     here, and in a form that can be read in one way only: 400, 413.
    const { route } = match;
    if (route === WHOLE_SERVER) {
      return hasUnusualBody(head)
        ? refuseKnown(draft, account, 'body-refused')
        : withinLimits(draft, route, head.method);
    }
    // Whoever holds a token may exchange it. Not the one before, in its overlap: that would put its
    // successor out of use.
    if (route.action !== null) {
      if (head.framing.kind === 'elsewhere')
        return refuseKnown(draft, account, 'permission-denied', NO_METHODS, ONLY_PROXIED);
      return draft.tokenId === tokenId(account.liveDigest)
        ? withinLimits(draft, route, head.method)
        : refuseKnown(draft, account, 'permission-denied', NO_METHODS, ONLY_LIVE);
    }
    let { variables } = match;
    if (route.bodyVariables.length > 0) {
      const read = body === null ? bodyFormFault(head, route) : readBodyVariables(route, body);
      if (read === null) {
        const limitBytes = route.bodyVariableBytes;
        return { permitted: null, found: draft, account: account.account.id, limitBytes };
      }
      if ('reason' in read)
        return refuseKnown(draft, account, read.reason, NO_METHODS, read.detail);
      variables = [...variables, ...read];
    }
    const asked = authorise(view, account, route, variables, head.method);
    draft.application = asked.application;
    draft.role = asked.role;
    draft.demand = asked.demand;
    if (!asked.allowed) {
      const detail = detailOf(asked.because);
      return refuseKnown(draft, account, 'permission-denied', NO_METHODS, detail);
    }

    // 12. Another protocol, where the route takes one: a tunnel goes through the gate or not at
    //     all, and only with a handshake that can be read in one way: 400.
    if (route.upgrade.length > 0 && head.framing.kind === 'elsewhere')
      return refuseKnown(draft, account, 'permission-denied', NO_METHODS, ONLY_PROXIED_TUNNELS);
    if (head.upgrade !== null) {
      const upgrade = readUpgrade(head, route.upgrade);
      if (typeof upgrade === 'object' && upgrade !== null)
        return refuseKnown(draft, account, 'upgrade-refused', NO_METHODS, upgrade.detail);
      draft.upgrade = upgrade;
    }

    // 13. A body where the route expects none: 400.
    return hasUnusualBody(head) && !route.bodyOn.includes(head.method)
      ? refuseKnown(draft, account, 'body-refused')
      : withinLimits(draft, route, head.method);
  }

  /**
   * What a known caller may not have counts against what the account may call in all, and beyond
   * that is told nothing but the limit.
   */
  function refuseKnown(
    draft: Draft,
    { account: { id } }: Principal,
    reason: RefusalReason,
    allow?: readonly string[],
    detail: string | null = null,
  ): Refusal {
    const rate = rates.askRefused(id);
    draft.rate = rate;
    return rate === null || rate.retryAfterSeconds === 0
      ? refuse(draft, reason, allow, detail)
      : refuse(draft, 'rate-limited');
  }

  /**
   * 14. Rates: 429, or leave to pass. Last, so that a route's limit is only taken from by calls
   * that it would let in.
   */
  function withinLimits(draft: Draft, route: Route, method: string): Verdict {
    const rate = rates.ask(route, draft.account?.account.id ?? null);
    draft.rate = rate;
    return rate === null || rate.retryAfterSeconds === 0
      ? permit(draft, route, method)
      : refuse(draft, 'rate-limited');
  }

  return {
    decide: (head, peer, clientAddress = peer.address, body = null, certificate = null) =>
      decide(head, clientAddress, body, certificate),
    setRoutes: (routes) => {
      table = createRouteTable(routes);
    },
    setLimits: (changed) => {
      limits = changed;
    },
    get table() {
      return table;
    },
  };
}

/** Everybody may have the keys by which assertions are verified. */
export function permitKeySet(method: string): Permit {
  return permit(new Draft(), KEY_SET, method);
}

const NO_HOST = 'the request names no host, and routes are told apart by host';
const ONLY_PROXIED = 'the gate itself does what the call asks for: the call must go through it';
const ONLY_PROXIED_TUNNELS =
  'calls of the route may become tunnels, which the gate alone can end: they must go through it';
const ONLY_LIVE = 'only the live token can be exchanged, not the one before it';

const NO_LIMITS: NonNullable<DeciderOptions['rates']> = { ask: () => null, askRefused: () => null };

/**
 * What can be said about a request without routes and accounts: null when nothing speaks against
 * it.
 */
export function admit(
  head: Pick<RequestHead, 'method' | 'framing'>,
  limits: DecisionLimits,
): RefusalReason | null {
  if (methodBit(head.method) === 0)
    return isNeverAllowed(head.method) ? 'method-refused' : 'method-unknown';
  const { framing } = head;
  // A chunked body has no declared size: whoever reads it counts.
  const tooLarge =
    limits.bodyBytes > 0 && framing.kind === 'length' && framing.bytes > limits.bodyBytes;
  return tooLarge ? 'body-too-large' : null;
}

const NO_METHODS: readonly string[] = [];

function refuse(
  draft: Draft,
  reason: RefusalReason,
  allow: readonly string[] = NO_METHODS,
  detail: string | null = null,
): Refusal {
  draft.reason = reason;
  draft.allow = allow;
  draft.detail = detail;
  return draft as Refusal;
}

/**
 * The only place where a permit is made; the cast is what the brand in verdict.ts demands of anyone
 * who tries.
 */
function permit(
  draft: Draft,
  route: Route,
  method: string,
  preflight: string | null = null,
): Permit {
  draft.permitted = true;
  draft.route = route;
  draft.unsafe = isUnsafe(method) || draft.upgrade !== null;
  draft.preflight = preflight;
  return draft as Draft & Permit;
}
