import { StoreUnavailable } from '../../src/store/fault.ts';
import { loadScript, type Script } from '../../src/store/script.ts';

type Stream = (readonly [id: string, fields: readonly string[]])[];
type Value = string | Map<string, string> | Set<string> | Stream;

const COMMIT = loadScript('registry-commit');
const INITIALISE = loadScript('registry-initialise');
const ASSERT = loadScript('registry-assert', { whenFull: true });
const FORGET = loadScript('registry-forget');

/**
 * As much of Redis as the registry asks for, command by command, with the registry's scripts
 * carried over from Lua. The real scripts are held to the same behaviour by the contract suite on a
 * real server.
 */
export class SimDatabase {
  readonly #values: Map<string, Value>;
  readonly #ends: Map<string, number>;

  constructor(values = new Map<string, Value>(), ends = new Map<string, number>()) {
    this.#values = values;
    this.#ends = ends;
  }

  copy(): SimDatabase {
    const values = new Map<string, Value>();
    for (const [key, value] of this.#values) {
      values.set(
        key,
        value instanceof Map
          ? new Map(value)
          : value instanceof Set
            ? new Set(value)
            : Array.isArray(value)
              ? [...value]
              : value,
      );
    }
    return new SimDatabase(values, new Map(this.#ends));
  }

  static writes(command: string): boolean {
    return ['PEXPIRE', 'SET', 'DEL', 'HSET', 'HDEL'].includes(command);
  }

  command(nowMs: number, [command, ...words]: readonly (string | number)[]): unknown {
    this.#expire(nowMs);
    const [key = '', ...rest] = words.map(String);
    switch (command) {
      case 'GET':
        return (this.#values.get(key) as string | undefined) ?? null;
      case 'MGET':
        return [key, ...rest].map((one) => (this.#values.get(one) as string | undefined) ?? null);
      case 'SET':
        this.#values.set(key, rest[0]!);
        if (rest[1] === 'PX') this.#ends.set(key, nowMs + Number(rest[2]));
        return 'OK';
      case 'DEL':
        this.#ends.delete(key);
        return Number(this.#values.delete(key));
      case 'PEXPIRE':
        if (!this.#values.has(key)) return 0;
        this.#ends.set(key, nowMs + Number(rest[0]));
        return 1;
      case 'PTTL':
        return this.#values.has(key) ? Math.ceil((this.#ends.get(key) ?? nowMs - 1) - nowMs) : -2;
      case 'PEXPIRETIME':
        return this.#values.has(key) ? (this.#ends.get(key) ?? -1) : -2;
      case 'HGET':
        return this.#hash(key).get(rest[0]!) ?? null;
      case 'HMGET':
        return rest.map((field) => this.#hash(key).get(field) ?? null);
      case 'HGETALL':
        return [...this.#hash(key)].flat();
      case 'HSET':
        for (let index = 0; index < rest.length; index += 2)
          this.#hash(key).set(rest[index]!, rest[index + 1]!);
        return 1;
      case 'HDEL':
        return Number(this.#hash(key).delete(rest[0]!));
      case 'ZMSCORE':
        return rest.map((member) => (this.#set(key).has(member) ? '0' : null));
      case 'ZCARD':
        return this.#set(key).size;
      case 'XRANGE':
        return this.#range(key, rest);
      case 'INFO':
        return '';
      default:
        throw new Error(`the simulation does not know ${command}`);
    }
  }

  script(
    nowMs: number,
    script: Script,
    keys: readonly string[],
    words: readonly (string | number)[],
  ): unknown {
    this.#expire(nowMs);
    if (script.sha1 === COMMIT.sha1) return this.#commit(keys, words.map(String));
    if (script.sha1 === INITIALISE.sha1) return this.#initialise(keys, words.map(String));
    if (script.sha1 === FORGET.sha1) return this.#forget(nowMs, keys, words.map(String));
    if (script.sha1 === ASSERT.sha1) return this.#assert(keys[0]!, String(words[0]));
    throw new Error('the simulation does not know this script');
  }

  /** Entries after a number, for a read that waits. */
  entriesAfter(key: string, seq: number): Stream {
    return this.#stream(key).filter(([id]) => Number.parseInt(id, 10) > seq);
  }

  #range(key: string, [start = '', end = '', , count = '']: readonly string[]): Stream {
    const from = Number.parseInt(start, 10);
    const to = end === '+' ? Number.POSITIVE_INFINITY : Number.parseInt(end, 10);
    const found = this.#stream(key).filter(
      ([id]) => Number.parseInt(id, 10) >= from && Number.parseInt(id, 10) <= to,
    );
    return count === '' ? found : found.slice(0, Number(count));
  }

  #expire(nowMs: number): void {
    for (const [key, endMs] of this.#ends) {
      if (endMs > nowMs) continue;
      this.#ends.delete(key);
      this.#values.delete(key);
    }
  }

  #hash(key: string): Map<string, string> {
    return this.#at(key, () => new Map<string, string>());
  }

  #set(key: string): Set<string> {
    return this.#at(key, () => new Set<string>());
  }

  #stream(key: string): Stream {
    return this.#at(key, (): Stream => []);
  }

  #at<T extends Value>(key: string, make: () => T): T {
    const value = (this.#values.get(key) as T | undefined) ?? make();
    this.#values.set(key, value);
    return value;
  }

  #initialise(
    [meta, , roles, , , feed, tombstones]: readonly string[],
    [schema, epoch, tip, , ...records]: readonly string[],
  ): unknown {
    if (this.#values.has(meta!)) return ['present'];
    this.#values.delete(tombstones!);
    const entry = ['epoch', epoch!, 'link', ` ${tip}`];
    for (let index = 0; index < records.length; index += 2) {
      const text = `{"version":1${records[index + 1]!.slice('{"version":0'.length)}`;
      this.#hash(roles!).set(records[index]!, text);
      entry.push(`role:${records[index]}`, text);
    }
    this.#values.set(feed!, [['1-0', entry]]);
    this.#values.set(
      meta!,
      new Map([
        ['schema', schema!],
        ['epoch', epoch!],
        ['seq', '1'],
        ['tip', tip!],
        ['counts', `0 ${this.#hash(roles!).size} 0 0`],
      ]),
    );
    return ['written'];
  }

  #commit(keys: readonly string[], [json, , , tip]: readonly string[]): unknown {
    const [META, ACCOUNTS, ROLES, TEAMS, CLAIMS, FEED, , MEMBERS, TOMBSTONES] = keys as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const plan = JSON.parse(json!) as Plan;
    const meta = this.#hash(META);
    const [epoch, before] = [meta.get('epoch'), Number(meta.get('seq'))];
    if (epoch === undefined) return ['empty'];
    const counts = () =>
      [
        this.#set(ACCOUNTS).size,
        ...[ROLES, TEAMS, CLAIMS].map((hash) => this.#hash(hash).size),
      ].join(' ');
    if (meta.get('counts') !== counts())
      return ['damaged', 'a list of accounts, roles, teams or names'];
    const read = ({ key, field }: Place) =>
      field === '' ? this.#values.get(keys[key - 1]!) : this.#hash(keys[key - 1]!).get(field);
    for (const expected of plan.expects) {
      const text = read(expected) as string | undefined;
      const version = text === undefined ? 0 : Number(/^\{"version":(\d+),/.exec(text)?.[1]);
      if (version !== expected.version) return ['version', expected.label];
    }
    const graves = this.#hash(TOMBSTONES);
    const revision = Number(graves.get('#') ?? 0);
    if (plan.under !== undefined && plan.under !== revision)
      return ['version', plan.changes[0]!.label];
    const policies = JSON.parse(graves.get('@policy') ?? '{}') as Record<string, PolicyGrave>;
    const settled = plan.changes.filter(({ field, label }) => field !== '' && label in policies);
    if (settled.length > 0 && plan.under === undefined) return ['version', settled[0]!.label];
    const raised = new Map<string, Grave>();
    for (const change of plan.changes) {
      const text = change.field === '' && change.text !== '' ? graves.get(change.id) : undefined;
      if (text === undefined) continue;
      const grave = JSON.parse(text) as Grave;
      const record = JSON.parse(change.text) as {
        token: { digest: string } | null;
        status: string;
      };
      if (grave.deleted || (record.token !== null && record.token.digest in grave.digests))
        return ['version', change.label];
      if (plan.revives.length > 0) throw new Error('nobody revives anything here');
      const held = grave.inactive || (grave.rights ?? change.rights) !== change.rights;
      if (!held || record.status !== 'active') continue;
      if (!plan.activates.includes(change.id)) return ['version', change.label];
      const { rights: _, ...rest } = grave;
      raised.set(change.id, { ...rest, inactive: false });
    }
    for (const { claim, owner } of plan.take) {
      const held = this.#hash(CLAIMS).get(claim);
      if (held !== undefined && held !== owner && !plan.drop.includes(claim))
        return ['claim', claim];
    }
    if (settled.length > 0) {
      for (const { label } of settled) delete policies[label];
      graves.set('@policy', JSON.stringify(policies)).set('#', String(revision + 1));
    }
    for (const [id, grave] of raised) {
      graves.set(id, JSON.stringify(grave));
      graves.set('#', String(Number(graves.get('#') ?? 0) + 1));
    }
    const seq = before + 1;
    const entry = ['epoch', epoch, 'link', `${meta.get('tip') ?? ''} ${tip}`];
    for (const change of plan.changes) {
      const text =
        change.text === '' ? '' : `{"version":${seq}${change.text.slice('{"version":0'.length)}`;
      entry.push(change.label, text);
      const key = keys[change.key - 1]!;
      if (change.field !== '') this.#hash(key).set(change.field, text);
      else if (text === '') this.#values.delete(key);
      else this.#values.set(key, text);
      if (change.field === '') this.#set(ACCOUNTS)[text === '' ? 'delete' : 'add'](change.id);
    }
    for (const claim of plan.drop) this.#hash(CLAIMS).delete(claim);
    for (const { claim, owner } of plan.take) this.#hash(CLAIMS).set(claim, owner);
    meta.set('seq', String(seq)).set('tip', tip!).set('counts', counts());
    this.#stream(FEED).push([`${seq}-0`, entry]);
    return ['committed', seq, epoch, ...[...this.#hash(MEMBERS)].flat()];
  }

  #forget(
    nowMs: number,
    [members, lease, ack]: readonly string[],
    [instance, renewal]: readonly string[],
  ): number {
    const end = Number(this.command(nowMs, ['PEXPIRETIME', lease!]));
    if ((end < 0 ? '' : String(end)) !== renewal) return 0;
    this.#hash(members!).delete(instance!);
    for (const key of [lease!, ack!]) this.command(nowMs, ['DEL', key]);
    return 1;
  }

  #assert(key: string, json: string): unknown {
    const graves = this.#hash(key);
    let changed = false;
    const all = JSON.parse(json) as ((Grave & { account: string }) | PolicyGrave)[];
    const policies = JSON.parse(graves.get('@policy') ?? '{}') as Record<string, PolicyGrave>;
    for (const told of all) {
      if ('account' in told) continue;
      const { policy, seen, seq } = told;
      const known = policies[policy];
      const merged = {
        policy,
        seen: [...new Set([...(known?.seen ?? []), ...seen])],
        ...seqTold(known === undefined, known?.seq, seq),
      };
      changed ||= JSON.stringify(merged) !== JSON.stringify(known);
      policies[policy] = merged;
      graves.set('@policy', JSON.stringify(policies));
    }
    for (const told of all) {
      if ('policy' in told) continue;
      const text = graves.get(told.account);
      const known =
        text === undefined
          ? ({ deleted: false, inactive: false, digests: {} } as Grave)
          : (JSON.parse(text) as Grave);
      const digests = { ...known.digests };
      for (const [digest, from] of Object.entries(told.digests))
        digests[digest] = Math.min(digests[digest] ?? from, from);
      const now = JSON.stringify({
        deleted: known.deleted || told.deleted,
        inactive: known.inactive || told.inactive,
        ...rightsTold(known.rights, told.rights),
        ...seqTold(text === undefined, known.seq, told.seq),
        digests: Object.fromEntries(Object.entries(digests).sort()),
      });
      changed ||= now !== text;
      graves.set(told.account, now);
    }
    if (changed) graves.set('#', String(Number(graves.get('#') ?? 0) + 1));
    return Number(graves.get('#') ?? 0);
  }
}

interface Place {
  readonly key: number;
  readonly field: string;
  readonly label: string;
}

interface Plan {
  readonly expects: readonly (Place & { readonly version: number })[];
  readonly changes: readonly (Place & {
    readonly id: string;
    readonly rights?: string;
    readonly text: string;
  })[];
  readonly take: readonly { readonly claim: string; readonly owner: string }[];
  readonly drop: readonly string[];
  readonly activates: readonly string[];
  readonly revives: readonly string[];
  readonly under?: number;
}

interface PolicyGrave {
  readonly policy: string;
  readonly seen: readonly string[];
  readonly seq?: number;
}

interface Grave {
  readonly rights?: string;
  readonly seq?: number;
  readonly deleted: boolean;
  readonly inactive: boolean;
  readonly digests: Record<string, number>;
}

function seqTold(first: boolean, known: number | undefined, told: number | undefined) {
  if (first) return told === undefined ? {} : { seq: told };
  return known === undefined || told === undefined ? {} : { seq: Math.max(known, told) };
}

function rightsTold(known: string | undefined, told: string | undefined): { rights?: string } {
  const rights = known === undefined || told === undefined ? (told ?? known) : told;
  if (rights === undefined) return {};
  return { rights: known !== undefined && known !== rights ? '*' : rights };
}

/** What a primary answers that has lost sight of its replicas. */
export function noReplicas(): StoreUnavailable {
  return new StoreUnavailable('refused', 'NOREPLICAS', 'Redis answered NOREPLICAS');
}
