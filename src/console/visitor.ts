import type { Account } from '../account/model.ts';
import { compilePermissions, type OwnPermission } from '../account/permission.ts';
import { isBuiltInRole } from '../account/role.ts';
import type { AdminActor } from '../admin/actor.ts';
import { AdminError } from '../admin/error.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import type { ConsoleParts } from './parts.ts';
import { formToken, isSessionId, type StoredSession, sessionDigest } from './sessions.ts';
import { isExpired } from './sign-in.ts';

/** Who looks at a page. */
export interface Visitor {
  readonly actor: AdminActor;
  readonly role: string;
  /** Has no password here. */
  readonly byProvider: boolean;
  readonly sessionId: string;
  /** What every form carries. */
  readonly formToken: string;
  /** Changes that wait for approval; null: none ever does. */
  readonly waiting: number | null;
  /** For showing and hiding; administration asks again before it does anything. */
  may(permission: OwnPermission): boolean;
}

/** How often a session's last use is written down at most. */
const TOUCH_EVERY_MS = 30_000;

/**
 * The person behind a session, as the registry knows them now: somebody who was deactivated a
 * moment ago, has lost their role, or was signed out elsewhere is not let in by an old cookie. Null
 * when the session counts for nothing.
 */
export async function visitorOf(
  parts: ConsoleParts,
  sessionId: string,
  { touch }: { touch: boolean },
): Promise<Visitor | null> {
  if (!isSessionId(sessionId)) return null;
  const digest = sessionDigest(sessionId);
  const session = await parts.sessions.get(digest);
  if (session === null) return null;
  const { account } = await parts.store.account(session.account);
  if (account === null || !stands(parts, session, account)) {
    await parts.sessions.end(digest);
    return null;
  }
  if (touch) await noteUse(parts, digest, session);
  const { roles } = await parts.store.snapshot();
  // One role alone: a policy of all would be compiled for each request.
  const role = roles.find(({ name }) => name === account.role && !isBuiltInRole(name));
  const permissions = compilePermissions(role?.permissions ?? []);
  const actor: AdminActor = {
    id: account.id,
    name: account.name,
    kind: 'user',
    via: 'console',
    permissions,
  };
  const may = (permission: OwnPermission) => permissions.allows(permission);
  const byProvider = account.subject !== undefined;
  const waiting = may('sallyport:registry:read') ? await countWaiting(parts, actor) : null;
  const ofSession = { sessionId, formToken: formToken(sessionId) };
  return { actor, role: account.role, byProvider, ...ofSession, waiting, may };
}

/** For the menu, which no page fails for. */
async function countWaiting(parts: ConsoleParts, actor: AdminActor): Promise<number | null> {
  if ((parts.approvals?.() ?? []).length === 0) return null;
  try {
    return (await parts.control.administration.listApprovals(actor, {})).approvals.length;
  } catch (error) {
    if (error instanceof AdminError || error instanceof RegistryUnavailable) return 0;
    throw error;
  }
}

function stands(parts: ConsoleParts, session: StoredSession, account: Account): boolean {
  const nowMs = parts.clock.wallMs();
  return (
    account.kind === 'user' &&
    account.status === 'active' &&
    !isExpired(account, nowMs) &&
    session.signOuts === (account.signOuts ?? 0) &&
    nowMs - session.startedMs < parts.settings.sessionHours * 3_600_000 &&
    nowMs - session.seenMs < parts.settings.idleMinutes * 60_000
  );
}

async function noteUse(parts: ConsoleParts, digest: string, session: StoredSession): Promise<void> {
  const nowMs = parts.clock.wallMs();
  if (nowMs - session.seenMs < TOUCH_EVERY_MS) return;
  const idleMs = parts.settings.idleMinutes * 60_000;
  const leftMs = session.startedMs + parts.settings.sessionHours * 3_600_000 - nowMs;
  await parts.sessions.touch(
    digest,
    { ...session, seenMs: nowMs },
    Math.ceil(Math.min(idleMs, leftMs)),
  );
}
