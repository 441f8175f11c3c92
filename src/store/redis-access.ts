import { isDeepStrictEqual } from 'node:util';
import type { RedisTls, RedisUser } from './redis-port.ts';

/** What a server is shown so that it lets us in, and what we know it by. */
export interface RedisSecrets extends RedisUser {
  /** Null = plain TCP; whether there is TLS at all never changes. */
  readonly tls: RedisTls | null;
}

/** What one attempt to connect uses. */
export interface Shown {
  readonly secrets: RedisSecrets;
  /** Counts the changes; 0 = what the process began with. */
  readonly version: number;
}

/** A connection that lives by the secrets. */
export interface AccessMember {
  /** Where it leads, for people. */
  readonly label: string;
  /** Other secrets count from now on: to be tried at once, beside the connection that stands. */
  changed(): void;
}

interface Acceptance {
  /** Of the secrets that its server has accepted; null = none yet. */
  readonly accepted: number | null;
  /** Why the newest ones were not; null = not known. */
  readonly why: string | null;
}

/** Fields of `store` that can change while a gate runs, as they stand below its key. */
const PARTS: Readonly<Record<string, (secrets: RedisSecrets) => unknown>> = {
  username: ({ username }) => username,
  password: ({ password }) => password,
  'tls.caFile': ({ tls }) => tls?.ca,
  'tls.certificateFile': ({ tls }) => [tls?.certificate, tls?.key],
  'tls.serverName': ({ tls }) => tls?.serverName,
  'tls.verify': ({ tls }) => tls?.verify,
};

/**
 * Secrets before the newest that are still shown where the newest are refused, and for how long
 * after all connections have worked with newer ones: a replica may get its role, and our first
 * connection, before it gets the new password.
 */
const FORMER = { kept: 2, keptMs: 60 * 60_000 } as const;
const FRESH: Acceptance = { accepted: null, why: null };

/**
 * The secrets of one kind of server, for all connections to such. A server and our file never
 * change at one moment: who is refused by the newest secrets shows the former ones, so that either
 * may come first. By whom a server's certificate must be signed is taken from the newest alone: a
 * CA that was taken out of its file is trusted by no new connection.
 */
export class RedisAccess {
  readonly #members = new Map<AccessMember, Acceptance>();
  readonly #nowMs: () => number;
  #newest: Shown;
  #former: readonly Shown[] = [];
  /** What all connections have worked with at one time. */
  #settled: RedisSecrets;
  #settledAtMs = Number.POSITIVE_INFINITY;
  #newestWasAccepted = false;
  /** Called when something has changed in what is taken over. Must not throw. */
  onNews: () => void = () => {};

  /** @param nowMs a monotonic clock */
  constructor(secrets: RedisSecrets, nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#newest = { secrets, version: 0 };
    this.#settled = secrets;
  }

  get version(): number {
    return this.#newest.version;
  }

  /** Whether there is something else to show than the newest. */
  get hasFormer(): boolean {
    if (this.#nowMs() - this.#settledAtMs > FORMER.keptMs) this.#former = [];
    return this.#former.length > 0;
  }

  /** Keys below `store` whose values are not in use everywhere. */
  get unsettled(): readonly string[] {
    const [before, now] = [this.#settled, this.#newest.secrets];
    return Object.keys(PARTS).filter(
      (key) => !isDeepStrictEqual(PARTS[key]!(before), PARTS[key]!(now)),
    );
  }

  /** Why the newest secrets are not in use everywhere; null when they are, or are being tried. */
  get why(): string | null {
    for (const [{ label }, { accepted, why }] of this.#members)
      if (accepted !== this.version && why !== null) return `${label}: ${why}`;
    return null;
  }

  /** For the attempt that comes after so many refused ones. */
  shown(refusals: number): Shown {
    if (!this.hasFormer) return this.#newest;
    const all = [this.#newest, ...this.#former];
    return all[refusals % all.length]!;
  }

  change(secrets: RedisSecrets): void {
    const { secrets: before, version } = this.#newest;
    if (isDeepStrictEqual(before, secrets)) return;
    const known = this.#newestWasAccepted ? [this.#newest, ...this.#former] : this.#former;
    this.#newest = { secrets, version: version + 1 };
    this.#settledAtMs = Number.POSITIVE_INFINITY;
    this.#newestWasAccepted = false;
    this.#former = known
      .slice(0, FORMER.kept)
      .map((shown) => ({ ...shown, secrets: trusting(shown.secrets, secrets.tls) }))
      .filter((shown) => !isDeepStrictEqual(shown.secrets, secrets));
    for (const [member, { accepted }] of this.#members)
      this.#members.set(member, { accepted, why: null });
    for (const member of this.#members.keys()) member.changed();
    this.onNews();
  }

  join(member: AccessMember): void {
    this.#members.set(member, FRESH);
  }

  leave(member: AccessMember): void {
    if (this.#members.delete(member)) this.#look();
  }

  /** A server has let this connection in. */
  accepted(member: AccessMember, version: number): void {
    const acceptance = this.#members.get(member);
    if (acceptance === undefined) return;
    this.#members.set(member, { accepted: version, why: acceptance.why });
    if (version === this.version) this.#newestWasAccepted = true;
    else this.#unsettle(version);
    this.#look();
  }

  /** The newest secrets do not do for this connection. */
  refused(member: AccessMember, why: string): void {
    const acceptance = this.#members.get(member);
    if (acceptance === undefined || acceptance.accepted === this.version || acceptance.why === why)
      return;
    this.#members.set(member, { ...acceptance, why });
    this.onNews();
  }

  /** A server that had no word in it before takes the former ones alone. */
  #unsettle(version: number): void {
    const former = this.#former.find((shown) => shown.version === version);
    if (former === undefined || this.#settled !== this.#newest.secrets) return;
    this.#settled = former.secrets;
    this.#settledAtMs = Number.POSITIVE_INFINITY;
    this.onNews();
  }

  #look(): void {
    if (this.#settled === this.#newest.secrets || !this.#newestWasAccepted) return;
    for (const { accepted, why } of this.#members.values())
      if (accepted === null ? why !== null : accepted !== this.version) return;
    this.#settled = this.#newest.secrets;
    this.#settledAtMs = this.#nowMs();
    this.onNews();
  }
}

/** Whom we are is from one, whom we believe from the other. */
function trusting(secrets: RedisSecrets, tls: RedisTls | null): RedisSecrets {
  if (tls === null || secrets.tls === null) return secrets;
  const { certificate, key } = secrets.tls;
  return { ...secrets, tls: { ...tls, certificate, key } };
}
