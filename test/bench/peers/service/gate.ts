import { hash } from 'node:crypto';
import { Redis } from 'ioredis';

/**
 * Token check and record for the peers that are programs for Node: looked up in Redis, cached,
 * recorded in batches.
 */
export interface ServiceGate {
  /** The account of an `Authorization` value; null = nobody's. Synchronous when cached. */
  check(authorization: string | undefined): Account | null | Promise<Account | null>;
  record(event: object): void;
}

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly teams: string;
}

interface Known {
  readonly account: Account | null;
  readonly untilMs: number;
}

const BELIEVED_MS = 5000;
const MAX_KNOWN = 20_000;
const MAX_HELD = 100_000;
const LINGER_MS = 20;
const BEARER = /^Bearer (slp_[0-9A-Za-z_]{62})$/;
const APPEND = `
for line in string.gmatch(ARGV[1], '[^\\n]+') do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1000000, '*', 'e', line)
end
return 1`;

export function createServiceGate(redisPort: number): ServiceGate {
  const redis = new Redis({ port: redisPort, host: '127.0.0.1' });
  const known = new Map<string, Known>();
  let held: string[] = [];
  setInterval(() => {
    if (held.length === 0) return;
    const lines = held.join('\n');
    held = [];
    redis
      .eval(APPEND, 1, 'bench:stream', lines)
      .catch((error: unknown) => console.error('records lost', error));
  }, LINGER_MS);

  async function lookUp(digest: string): Promise<Account | null> {
    const text = await redis.get(`bench:token:${digest}`);
    const [id = '', name = '', role = '', teams = ''] = text?.split('|') ?? [];
    const account = text === null ? null : { id, name, role, teams };
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(digest, { account, untilMs: performance.now() + BELIEVED_MS });
    return account;
  }

  return {
    check(authorization) {
      const token = authorization === undefined ? null : BEARER.exec(authorization)?.[1];
      if (token === null || token === undefined) return null;
      const digest = hash('sha256', token, 'hex');
      const found = known.get(digest);
      return found !== undefined && performance.now() < found.untilMs
        ? found.account
        : lookUp(digest);
    },
    record(event) {
      if (held.length < MAX_HELD) held.push(JSON.stringify(event));
    },
  };
}
