import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import { DnsSource, type Found, NameFault, type ServiceTarget } from './dns-source.ts';
import { HostsFile } from './hosts-file.ts';

/** Where addresses are asked for: rejects with `NameFault`. */
export interface NameSource {
  find(name: string): Promise<Found>;
  findService?(name: string): Promise<readonly ServiceTarget[]>;
  close(): void;
}

export interface ResolverOptions {
  readonly clock: Clock;
  readonly source?: NameSource;
  readonly hostsFile?: string;
}

export const NAME_LIMITS = {
  /** A record's time to live is taken within these bounds. */
  minTtlMs: 1_000,
  maxTtlMs: 60_000,
  /** For one look-up, all candidates and tries together. */
  deadlineMs: 5_000,
  /** How long whoever has an old answer waits for the new one before the old one is used. */
  patienceMs: 500,
  /** How long an answer is used while no new one can be had. */
  staleMs: 3_600_000,
  /** The servers of a service are asked for so often: their time to live is not told. */
  serviceMs: 5_000,
  /** After a look-up failed, so long is waited before the next. */
  retryMs: 2_000,
  /** Names remembered; the one that was asked for longest ago makes room. */
  names: 1_024,
} as const;

interface Entry {
  found: Found | null;
  foundAtMs: number;
  /** Until when `found`, or the fault, is not asked for again. */
  freshUntilMs: number;
  fault: NameFault | null;
  asking: Promise<void> | null;
}

/**
 * Addresses of names, for everything that the gate connects to. One look-up of a name at a time,
 * shared by all who wait; none waits longer than its deadline, and none behind another name's. The
 * last good answer is used for up to an hour while no new one can be had.
 *
 * An address stands for itself, then `/etc/hosts` decides, `localhost` is the loopback
 * (RFC 6761 §6.3), and all else is asked of the name servers.
 */
export class Resolver {
  readonly #clock: Clock;
  readonly #source: NameSource;
  readonly #hosts: HostsFile;
  readonly #entries = new Map<string, Entry>();
  readonly #watches = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor({ clock, source, hostsFile }: ResolverOptions) {
    this.#clock = clock;
    this.#source = source ?? new DnsSource();
    this.#hosts = new HostsFile(hostsFile ?? '/etc/hosts', () => clock.monotonicMs());
  }

  /** As `net.connect({ lookup })` and `tls.connect({ lookup })` take it. */
  readonly lookup: LookupFunction = (host, options, done) => {
    this.resolve(host).then(
      (addresses) => {
        const wanted = addresses
          .map((address) => ({ address, family: isIP(address) }))
          .filter(({ family }) => isWanted(family, options.family));
        if (wanted.length === 0) done(new NameFault('ENOTFOUND', host), '', 0);
        else if (options.all === true) done(null, wanted as LookupAddress[]);
        else done(null, wanted[0]!.address, wanted[0]!.family);
      },
      (error: NameFault) => done(error, '', 0),
    );
  };

  /** At least one address. Rejects with `NameFault`. */
  async resolve(host: string): Promise<readonly string[]> {
    return (await this.#find(host)).addresses;
  }

  /** The next look-up asks anew: where the name led was not the right place. */
  doubt(host: string): void {
    const entry = this.#entries.get(host.toLowerCase());
    if (entry !== undefined) entry.freshUntilMs = 0;
  }

  /**
   * Tells `changed` the addresses of a name as soon as they are known, and again whenever they
   * differ from the last ones. @returns ends it
   */
  watch(host: string, changed: (addresses: readonly string[]) => void): () => void {
    let told = '';
    return this.#again(async () => {
      const found = await this.#find(host).catch(() => null);
      return {
        waitMs: found === null ? NAME_LIMITS.retryMs : ttlOf(found),
        tell: () => {
          const key = found === null ? told : [...found.addresses].sort().join(' ');
          if (found === null || key === told) return;
          told = key;
          changed(found.addresses);
        },
      };
    });
  }

  /** The same of the servers of a service. What cannot be looked up stays as it is. */
  watchService(name: string, changed: (targets: readonly ServiceTarget[]) => void): () => void {
    let told = '';
    return this.#again(async () => {
      const asked = this.#source.findService?.(name) ?? Promise.reject(new Error(name));
      const found = await deadline(asked, name).catch(() => null);
      return {
        waitMs: found === null ? NAME_LIMITS.retryMs : NAME_LIMITS.serviceMs,
        tell: () => {
          const key =
            found === null
              ? told
              : found
                  .map((one) => JSON.stringify(one))
                  .sort()
                  .join();
          if (found === null || key === told) return;
          told = key;
          changed(found);
        },
      };
    });
  }

  /** Looks again and again. @returns ends it */
  #again(ask: () => Promise<{ readonly waitMs: number; tell(): void }>): () => void {
    let timer: NodeJS.Timeout | null = null;
    let ended = false;
    const look = async (): Promise<void> => {
      const { waitMs, tell } = await ask();
      if (ended || this.#closed) return;
      tell();
      if (timer !== null) this.#watches.delete(timer);
      timer = setTimeout(() => void look(), waitMs);
      timer.unref();
      this.#watches.add(timer);
    };
    void look();
    return () => {
      ended = true;
      if (timer === null) return;
      clearTimeout(timer);
      this.#watches.delete(timer);
    };
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#watches) clearTimeout(timer);
    this.#watches.clear();
    this.#source.close();
  }

  async #find(host: string): Promise<Found> {
    const name = host.toLowerCase();
    const here = this.#known(name);
    if (here !== null) return here;
    const entry = this.#entryOf(name);
    if (entry.freshUntilMs > this.#clock.monotonicMs()) return foundIn(entry, name);
    entry.asking ??= this.#ask(name, entry).finally(() => {
      entry.asking = null;
    });
    const patienceMs = entry.found === null ? NAME_LIMITS.deadlineMs : NAME_LIMITS.patienceMs;
    await within(entry.asking, patienceMs);
    if (entry.found === null && entry.fault === null) throw new NameFault('ETIMEOUT', host);
    return foundIn(entry, name);
  }

  /** What need not be asked of anybody. */
  #known(name: string): Found | null {
    if (isIP(name) !== 0) return { addresses: [name], ttlMs: NAME_LIMITS.maxTtlMs };
    const listed = this.#hosts.addressesOf(name);
    if (listed.length > 0) return { addresses: listed, ttlMs: NAME_LIMITS.minTtlMs };
    if (name === 'localhost' || name.endsWith('.localhost'))
      return { addresses: ['127.0.0.1', '::1'], ttlMs: NAME_LIMITS.maxTtlMs };
    return null;
  }

  #entryOf(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) {
      // Asked for last, and so the last to make room.
      this.#entries.delete(name);
      this.#entries.set(name, known);
      return known;
    }
    if (this.#entries.size >= NAME_LIMITS.names)
      this.#entries.delete(this.#entries.keys().next().value!);
    const entry = { found: null, foundAtMs: 0, freshUntilMs: 0, fault: null, asking: null };
    this.#entries.set(name, entry);
    return entry;
  }

  async #ask(name: string, entry: Entry): Promise<void> {
    try {
      const found = await deadline(this.#source.find(name), name);
      entry.found = found;
      entry.fault = null;
      entry.foundAtMs = this.#clock.monotonicMs();
      entry.freshUntilMs = entry.foundAtMs + ttlOf(found);
    } catch (error) {
      const nowMs = this.#clock.monotonicMs();
      entry.fault = error instanceof NameFault ? error : new NameFault('ESERVFAIL', name);
      entry.freshUntilMs = nowMs + NAME_LIMITS.retryMs;
      if (nowMs - entry.foundAtMs > NAME_LIMITS.staleMs) entry.found = null;
    }
  }
}

function foundIn(entry: Entry, name: string): Found {
  if (entry.found !== null) return entry.found;
  throw entry.fault ?? new NameFault('ENOTFOUND', name);
}

function ttlOf({ ttlMs }: Found): number {
  return Math.min(NAME_LIMITS.maxTtlMs, Math.max(NAME_LIMITS.minTtlMs, ttlMs));
}

function isWanted(family: number, asked: number | string | undefined): boolean {
  if (asked === undefined || asked === 0) return true;
  return family === (asked === 'IPv4' ? 4 : asked === 'IPv6' ? 6 : asked);
}

/** Waits no longer than that; what was waited for goes on. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  const waited = Promise.withResolvers<void>();
  const timer = setTimeout(() => waited.resolve(), ms);
  await Promise.race([work, waited.promise]);
  clearTimeout(timer);
}

async function deadline<T>(work: Promise<T>, name: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new NameFault('ETIMEOUT', name)),
    NAME_LIMITS.deadlineMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
