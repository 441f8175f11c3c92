import { parseToken, tokenDigest, tokenId } from '../account/token.ts';
import { changeAccount } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext, Receipted } from './context.ts';
import { AdminError, invalid } from './error.ts';
import { retiring } from './service-accounts.ts';
import type { AccountView } from './views.ts';

export interface FoundToken {
  readonly token: string;
  /** As in `AccountRef`. */
  readonly waitMs?: number;
}

export interface TokenReport extends Receipted {
  /**
   * Whether the token was let in until now. False: it was none of ours, or counted no more. Null:
   * that is not told.
   */
  readonly revoked: boolean | null;
  /** Whose token it was or had been; null when nobody's. */
  readonly account: AccountView | null;
}

/**
 * "I found this token": takes it out of use. Whoever shows a token could as well have used it, so
 * this needs no permission, and it can only take away what the token gave. The account stays as it
 * is, without a token if it was the live one; somebody who may do so issues another.
 */
export async function reportToken(
  context: AdminContext,
  actor: AdminActor,
  input: FoundToken,
): Promise<TokenReport> {
  const token = input.token.trim();
  const id = parseToken(token);
  if (id === null) throw invalid([{ field: 'token', message: 'is not a token of this kind' }]);
  const digest = tokenDigest(token);
  const known = (await reading(() => context.store.account(id))).account;
  if (known === null || known.kind !== 'service') return { revoked: false, account: null };
  const finder: AdminActor = { ...actor, permissions: 'store-owner' };
  const ref = { id: known.id, ...(input.waitMs === undefined ? {} : { waitMs: input.waitMs }) };
  const { account, changed, revocation } = await changeAccount(
    context,
    finder,
    ref,
    'token-reported',
    (before) => {
      const live = before.token?.digest === digest;
      const previous = before.previous?.digest === digest;
      if (live)
        return {
          ...before,
          ...retiring(before, [before.token], before.previous ?? null),
          token: null,
        };
      return previous ? { ...before, ...retiring(before, [before.previous]) } : before;
    },
  ).catch((error: unknown) => {
    // Deleted meanwhile: then the token counts no more.
    if (error instanceof AdminError && error.code === 'not-found')
      return { account: null, changed: false, revocation: undefined };
    throw error;
  });
  const ours = account !== null && (changed || account.retiredTokens.includes(tokenId(digest)));
  return {
    revoked: changed,
    account: ours ? account : null,
    ...(revocation === undefined ? {} : { revocation }),
  };
}
