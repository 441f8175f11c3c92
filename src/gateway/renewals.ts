import { compilePermissions } from '../account/permission.ts';
import type { AdminContext } from '../admin/context.ts';
import { AdminError } from '../admin/error.ts';
import { renewToken } from '../admin/service-accounts.ts';
import type { RenewToken } from '../calls/renewal.ts';
import type { Config } from '../config/schema.ts';
import type { Log } from '../telemetry/log.ts';
import type { PrepareReload } from './context.ts';

/** Whether any route exchanges tokens, for which the store has to be written as `manager`. */
export function renewsTokens({ routes }: Pick<Config, 'routes'>): boolean {
  return routes.some(({ action }) => action === 'renew-token');
}

const NOBODY = compilePermissions([]);

/**
 * The exchange of tokens as the admin API does it, for callers on a route: the same change, receipt
 * and record.
 */
export function renewalsBy(context: AdminContext, log: Log): RenewToken {
  return async ({ id, name, kind }, token) => {
    const actor = { id, name, kind, via: 'proxy', permissions: NOBODY } as const;
    try {
      const { account, token: issued, revocation } = await renewToken(context, actor, { token });
      return { renewed: true, token: issued, expiresAt: account.expiresAt, revocation };
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      // Exchanged, or gone with its account, since the caller was let in.
      if (error.code === 'stale' || error.code === 'not-found')
        return { renewed: false, reason: 'token-revoked' };
      if (error.code !== 'unavailable' && error.code !== 'conflict') throw error;
      log.error('a token could not be exchanged for a new one', { accountId: id, error });
      return { renewed: false, reason: 'registry-unavailable' };
    }
  };
}

/** Refuses a reload to exchange tokens where this process has no right to write the registry. */
export function renewsOnlyWith(renewToken: RenewToken | null): PrepareReload {
  return (next) => {
    if (renewsTokens(next) && renewToken === null)
      throw new Error(
        'a route with action: renew-token counts only after a restart: this gate was started without the right to write the registry',
      );
    return () => undefined;
  };
}
