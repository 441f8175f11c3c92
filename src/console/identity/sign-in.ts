import type { Account } from '../../account/model.ts';
import { isName } from '../../account/model.ts';
import { AdminError } from '../../admin/error.ts';
import { IDENTITY_ACTOR } from '../../admin/identity.ts';
import type { SignInReason } from '../../audit/event/sign-in-event.ts';
import type { IdentityConfig } from '../../config/schema.ts';
import type { KnownBrowser } from '../known-browser.ts';
import type { ConsoleParts } from '../parts.ts';
import { beginSession, signInReasonOf } from '../sign-in.ts';
import type { SignInThrottle } from '../throttle.ts';
import type { Flow } from './flow.ts';
import type { IdentityParts, Vouched } from './provider.ts';
import { ProviderAway, ProviderRefused } from './provider-faults.ts';

export interface Return {
  /** Null: this browser has begun another sign-in, or it has taken too long. */
  readonly flow: Flow | null;
  /** Where the browser came back to, with what it brought. */
  readonly callback: URL;
  readonly address: string;
  readonly userAgent: string | null;
  /** Where somebody has signed in with this browser before. */
  readonly browser: KnownBrowser | null;
}

/** Whoever has proved at the provider who they are may know why it is not enough. */
export type IdentityResult =
  | {
      readonly outcome: 'signed-in';
      readonly name: string;
      readonly sessionId: string;
      readonly next: string;
    }
  | { readonly outcome: 'refused'; readonly words: string }
  | { readonly outcome: 'throttled'; readonly waitSeconds: number }
  | { readonly outcome: 'away' }
  | { readonly outcome: 'registry-away' }
  | { readonly outcome: 'unrecorded' };

export const NOT_VOUCHED =
  'The identity provider did not let you in, or this sign-in was begun elsewhere or too long ago. Sign in again.';

interface Refusal {
  readonly reason: SignInReason;
  readonly words: string;
  readonly claimed?: string | null;
}

/**
 * Throttle, check the flow, ask the provider, map, find or make the account, judge, record, begin
 * the session: in this order.
 */
export async function signInByIdentity(
  parts: ConsoleParts,
  identity: IdentityParts,
  throttle: SignInThrottle,
  back: Return,
): Promise<IdentityResult> {
  const tried = await throttle.provider(back.address, back.browser);
  if (!tried.allowed) return { outcome: 'throttled', waitSeconds: tried.waitSeconds };
  const vouched = await vouchedFor(parts, identity, back);
  if (vouched === 'away') {
    await tried.takeBack();
    return { outcome: 'away' };
  }
  if (vouched === null) {
    const refused = await refuse(parts, back, {
      reason: 'identity-refused',
      words: NOT_VOUCHED,
    });
    if (tried.closes) await refuse(parts, back, { reason: 'throttled', words: '' });
    return refused;
  }
  await tried.succeeded();
  const found = await accountOf(parts, identity.config, vouched);
  if (found === 'registry-away') return { outcome: found };
  if ('reason' in found) return refuse(parts, back, found);
  const reason = signInReasonOf(found, parts.clock.wallMs());
  if (reason !== 'signed-in')
    return refuse(parts, back, {
      reason,
      words: 'Your account is not active here.',
      claimed: found.id,
    });
  if (!(await record(parts, back, reason, found, null))) return { outcome: 'unrecorded' };
  const sessionId = await beginSession(parts, found, back.address);
  return { outcome: 'signed-in', name: found.name, sessionId, next: back.flow?.next ?? '/' };
}

/** Null: not vouched for. */
async function vouchedFor(
  parts: ConsoleParts,
  { provider }: IdentityParts,
  { flow, callback }: Return,
): Promise<Vouched | 'away' | null> {
  if (flow === null) return null;
  try {
    return await provider.vouch(flow, callback);
  } catch (error) {
    if (error instanceof ProviderRefused) {
      parts.log.info('the identity provider did not vouch for somebody', { why: error.message });
      return null;
    }
    if (!(error instanceof ProviderAway)) throw error;
    noteAway(parts, error);
    return 'away';
  }
}

export function noteAway(parts: ConsoleParts, { message, wasAsked }: ProviderAway): void {
  if (wasAsked) parts.log.warn('nobody can sign in by the identity provider', { why: message });
}

async function accountOf(
  parts: ConsoleParts,
  config: IdentityConfig,
  { subject, claims }: Vouched,
): Promise<Account | Refusal | 'registry-away'> {
  const role = mappedRole(config, claims[config.roleClaim]);
  if (role === null)
    return {
      reason: 'identity-without-role',
      words: 'You are in none of the groups that may use this console.',
    };
  const name = claims[config.nameClaim];
  if (typeof name !== 'string' || !isName(name)) {
    parts.log.warn('the identity provider gives a name that no user can have', {
      claim: config.nameClaim,
    });
    return {
      reason: 'identity-refused',
      words: 'The identity provider gives you a name that cannot be used here.',
    };
  }
  try {
    const made = await parts.control.administration.admitPerson(IDENTITY_ACTOR, {
      name,
      subject,
      role,
    });
    const { account } = await parts.store.account(made.account.id);
    return account ?? { reason: 'name-unknown', words: 'Your account has just been deleted.' };
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    if (error.code === 'name-taken') {
      const words = `You cannot sign in as ${name}: ${error.message}. Ask somebody who manages users here.`;
      return {
        reason: 'identity-name-taken',
        words,
        claimed: (await parts.store.accountByName(name))?.id ?? null,
      };
    }
    if (error.code === 'unavailable' || error.code === 'conflict') return 'registry-away';
    if (error.code !== 'invalid') throw error;
    parts.log.error('identity.roles does not fit the registry', { role, why: error.message });
    return {
      reason: 'identity-without-role',
      words: 'The role that your group is to have does not exist here.',
    };
  }
}

/** The first entry of the configuration that fits. */
function mappedRole({ roles }: IdentityConfig, claim: unknown): string | null {
  const groups: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return Object.entries(roles).find(([group]) => groups.includes(group))?.[1] ?? null;
}

async function refuse(
  parts: ConsoleParts,
  back: Return,
  { reason, words, claimed = null }: Refusal,
): Promise<IdentityResult> {
  await record(parts, back, reason, null, claimed);
  return { outcome: 'refused', words };
}

function record(
  parts: ConsoleParts,
  { address, userAgent }: Return,
  reason: SignInReason,
  account: Account | null,
  claimedAccountId: string | null,
): Promise<boolean> {
  return parts.recordSignIn({
    reason,
    account,
    claimedAccountId,
    clientAddress: address,
    userAgent,
    method: 'oidc',
  });
}
