import { readFileSync } from 'node:fs';
import { redisSettings } from '../admin/store-settings.ts';
import { systemClock } from '../clock.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { Finding } from '../store/redis-finding.ts';
import { UsageError } from './exit.ts';
import { say, styled } from './terminal.ts';

/** As whom Redis is looked at; default the user of the configuration. */
export interface InspectorOptions {
  readonly redisUser?: string;
  readonly redisPasswordFile?: string;
}

/**
 * Looks at a Redis and says what is to be said. Throws `StoreUnavailable` when it does not answer.
 */
export async function inspectRedis(
  config: Config,
  store: RedisStoreConfig,
  options: InspectorOptions,
): Promise<readonly Finding[]> {
  // Loaded only where Redis is the store: the driver is half of what starting a command costs.
  const { connectRedis } = await import('../store/redis.ts');
  const { surveyRedis } = await import('../store/redis-survey.ts');
  const { probeRights } = await import('../store/redis-rights.ts');
  const { findingsOf } = await import('../store/redis-findings.ts');
  const settings = redisSettings(store, 'sallyport-check', systemClock);
  const inspector = inspectorOf(options);
  const facts = await surveyRedis(settings, inspector ?? settings);
  const refusing = facts.servers.find(({ refusedUser }) => refusedUser);
  if (refusing !== undefined)
    throw new StoreUnavailable(
      'forbidden',
      'WRONGPASS',
      `${refusing.address} refuses the user ${JSON.stringify(inspector?.username ?? store.username)}: ${refusing.fault}`,
    );
  const connection = connectRedis({ ...settings, stays: true });
  try {
    const rights = await probeRights(connection, store.keyPrefix);
    const { admin, proxy } = config.listen;
    const holds =
      config.audit.store === null ? 'both' : store === config.audit.store ? 'audit' : 'registry';
    // A file without a proxy listener is one for the command line.
    return findingsOf(facts, rights, {
      leaseMs: config.registry.leaseMs,
      administers: admin !== null || proxy === null,
      renewsTokens: config.routes.some(({ action }) => action === 'renew-token'),
      holds,
      hashesAddresses: config.audit.clientAddress === 'hashed',
      signsAssertions: config.upstreams.some(({ assertion }) => assertion !== null),
    });
  } finally {
    connection.close();
  }
}

function inspectorOf({ redisUser, redisPasswordFile }: InspectorOptions) {
  if (redisUser === undefined && redisPasswordFile === undefined) return null;
  if (redisUser === undefined || redisPasswordFile === undefined)
    throw new UsageError('--redis-user and --redis-password-file go together');
  return { username: redisUser, password: readPassword(redisPasswordFile) };
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new UsageError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown fault'})`,
    );
  }
}

export function showFinding({ severity, server, found, means }: Finding): void {
  const where = server === null ? '' : `${server}: `;
  say(`${styled(severity === 'unsafe' ? 'red' : 'bold', severity)}  ${where}${found}`);
  say(`  ${means}`);
}
