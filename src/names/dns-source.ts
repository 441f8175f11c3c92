import { Resolver as DnsResolver, type RecordWithTtl } from 'node:dns';
import { statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { candidatesFor, readSearchRules, type SearchRules } from './resolv-conf.ts';

/** What is known of a name: its addresses, and for how long they may be used. */
export interface Found {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** A server of a service, by its SRV record (RFC 2782). */
export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
  /** The lowest is used while one of it can be. */
  readonly priority: number;
  /** Its part among those of the same priority; 0: as little as may be. */
  readonly weight: number;
}

/** Why a name has no address. `code` as Node's: `ENOTFOUND`, `ETIMEOUT`, `ESERVFAIL`. */
export class NameFault extends Error {
  override readonly name = 'NameFault';
  readonly code: string;

  constructor(code: string, host: string) {
    super(`${host}: ${WORDS[code] ?? 'its name server gave no usable answer'} (${code})`);
    this.code = code;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ETIMEOUT: 'its name server did not answer in time',
  ESERVFAIL: 'its name server cannot tell',
  EREFUSED: 'the name server refused to tell',
  ECONNREFUSED: 'the name server cannot be reached',
};

/** One try of one server, and tries: together below the deadline of a look-up. */
const QUERY = { timeoutMs: 1_200, tries: 2 } as const;
/** How long the other family's answer is waited for once one is here. */
const OTHER_FAMILY_MS = 250;

/**
 * Asks the name servers of `/etc/resolv.conf` by c-ares, with search domains as glibc uses them.
 * c-ares needs no thread of libuv's pool, in which two names that are not answered hold up the
 * look-ups of all others. What other sources nsswitch.conf(5) names (mDNS, LDAP) is not asked.
 */
export class DnsSource {
  readonly #path: string;
  readonly #servers: readonly string[] | null;
  #resolver: DnsResolver | null = null;
  #rules: SearchRules = { search: [], ndots: 1 };
  #stamp: string | null = null;

  /** @param servers instead of those in the file; `address:port` */
  constructor(path = '/etc/resolv.conf', servers: readonly string[] | null = null) {
    this.#path = path;
    this.#servers = servers;
  }

  /** Throws `NameFault`. */
  async find(name: string): Promise<Found> {
    const resolver = this.#refreshed();
    let fault = 'ENOTFOUND';
    for (const candidate of candidatesFor(name, this.#rules)) {
      try {
        return await askBoth(resolver, candidate);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'ESERVFAIL';
        // A server that is silent is silent for the other candidates too.
        if (code === 'ETIMEOUT' || code === 'ECONNREFUSED') throw new NameFault(code, name);
        if (!isNo(code)) fault = code;
      }
    }
    throw new NameFault(fault, name);
  }

  /**
   * The servers of a service, whose whole name is given: search domains are not tried. Empty: the
   * service says that there are none. Throws `NameFault`. Node does not tell their time to live.
   */
  async findService(name: string): Promise<readonly ServiceTarget[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly ServiceTarget[]>();
    this.#refreshed().resolveSrv(name, (error, records) => {
      if (error !== null) reject(new NameFault(error.code ?? 'ESERVFAIL', name));
      else
        resolve(
          records
            .filter((record) => record.name !== '' && record.name !== '.' && record.port > 0)
            .map((record) => ({
              host: record.name.toLowerCase(),
              port: record.port,
              priority: record.priority,
              weight: record.weight,
            })),
        );
    });
    return promise;
  }

  close(): void {
    this.#resolver?.cancel();
  }

  /** The file is read again when it changed: a laptop moves, a pod's DNS policy does not. */
  #refreshed(): DnsResolver {
    const stamp = stampOf(this.#path);
    if (this.#resolver === null || stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#rules = readSearchRules(this.#path);
      this.#resolver = new DnsResolver({ timeout: QUERY.timeoutMs, tries: QUERY.tries });
      if (this.#servers !== null) this.#resolver.setServers(this.#servers);
    }
    return this.#resolver;
  }
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, ino, size } = statSync(path);
    return `${mtimeMs} ${ino} ${size}`;
  } catch {
    return '';
  }
}

/** The servers say that there is nothing, as opposed to not saying. */
function isNo(code: string): boolean {
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

async function askBoth(resolver: DnsResolver, name: string): Promise<Found> {
  const families = usableFamilies();
  const queries = families.map((family) => ask(resolver, name, family));
  const first = await Promise.any(queries).catch((error: AggregateError) => {
    const codes = error.errors.map(({ code }: NodeJS.ErrnoException) => code ?? 'ESERVFAIL');
    throw Object.assign(new Error(name), { code: codes.find((code) => !isNo(code)) ?? codes[0] });
  });
  const timer = Promise.withResolvers<null>();
  const timeout = setTimeout(() => timer.resolve(null), OTHER_FAMILY_MS);
  const settled = Promise.allSettled(queries).then((all) =>
    all.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])),
  );
  const records = (await Promise.race([settled, timer.promise])) ?? first;
  clearTimeout(timeout);
  return {
    addresses: [...new Set(records.map(({ address }) => address))],
    ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000,
  };
}

/** Rejects where there is no record, like for every other fault. */
function ask(
  resolver: DnsResolver,
  name: string,
  family: 4 | 6,
): Promise<readonly RecordWithTtl[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly RecordWithTtl[]>();
  const answered = (error: NodeJS.ErrnoException | null, records: RecordWithTtl[]) => {
    if (error === null && records.length > 0) resolve(records);
    else reject(error ?? Object.assign(new Error(name), { code: 'ENODATA' }));
  };
  if (family === 4) resolver.resolve4(name, { ttl: true }, answered);
  else resolver.resolve6(name, { ttl: true }, answered);
  return promise;
}

/**
 * The families in which this machine has an address besides its loopback; both where it has none
 * (as getaddrinfo's AI_ADDRCONFIG: an address that no route leads to is no help).
 */
function usableFamilies(): readonly (4 | 6)[] {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = own.filter(
    ({ internal, scopeid }) => !internal && (scopeid === undefined || scopeid === 0),
  );
  const families = ([4, 6] as const).filter((family) =>
    outside.some((one) => one.family === `IPv${family}`),
  );
  return families.length === 0 ? [4, 6] : families;
}
