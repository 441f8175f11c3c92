import { Random } from '../fuzz/random.ts';
import type { Caller } from './callers.ts';
import { CLIENTS, digits } from './mixed-clients.ts';

/**
 * Requests as many different callers make them: whatever a gate remembers of the last ones, the
 * next is another account on another path with other fields.
 */

/** Each is read and written under a route of its own: 40 routes. */
export const SERVICES = Array.from({ length: 20 }, (_, n) => `s${String(n).padStart(2, '0')}`);
export const APPLICATIONS = ['crm', 'billing', 'portal', 'ledger', 'search'] as const;
/** Bytes of a body, of requests as of responses; the last segment of a path says which. */
export const BODY_BYTES = [128, 192, 256, 384, 512, 768, 1024, 2048] as const;

const PATHS = 2000;
const REQUESTS = 20_000;
const READ_SHARE = 0.85;
const WORDS = ['orders', 'customers', 'invoices', 'versions', 'deployments', 'environments'];
const SEED = 20261128;

/** Whole requests of HTTP/1.1, the same in every run. */
export function mixedRequests(
  callers: readonly Caller[],
  authorize: (caller: Caller) => string,
  host: string,
): readonly string[] {
  const random = new Random(SEED);
  const paths = Array.from({ length: PATHS }, (_, n) => pathOf(random, n));
  return Array.from({ length: REQUESTS }, (_, n) => {
    const client = random.pick(CLIENTS);
    const body = random.chance(READ_SHARE) ? null : 'x'.repeat(random.pick(BODY_BYTES));
    const fields = [
      `Host: ${host}`,
      ...client(random, body !== null),
      `Authorization: ${authorize(callers[n % callers.length]!)}`,
      ...(body === null ? [] : [`Content-Length: ${body.length}`]),
    ];
    const line = `${body === null ? 'GET' : 'POST'} ${random.pick(paths)} HTTP/1.1`;
    return `${[line, ...fields].join('\r\n')}\r\n\r\n${body ?? ''}`;
  });
}

/** `/services/s07/crm/orders/81342/versions/5f0c/b384`, of two to five further segments. */
function pathOf(random: Random, n: number): string {
  const depth = 1 + random.below(3);
  const rest = Array.from({ length: depth }, () => `${random.pick(WORDS)}/${digits(random, 6)}`);
  const service = SERVICES[n % SERVICES.length]!;
  const size = random.pick(BODY_BYTES);
  const query = random.chance(0.3) ? `?page=${random.below(50)}&sort=name` : '';
  return `/services/${service}/${random.pick(APPLICATIONS)}/${rest.join('/')}/b${size}${query}`;
}
