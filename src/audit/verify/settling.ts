import type { Anchors } from './anchors.ts';
import { type Finding, lostOf, missingOf, numbers } from './finding.ts';
import { type FrontVerdict, frontHole, judgeFront } from './front.ts';
import type { HeadRules, InstanceHeads } from './heads.ts';
import type { InstanceCheck } from './instance-check.ts';
import type { Adoption, Known, Lost } from './known.ts';
import { MissingNumbers, type MissingRange } from './missing.ts';

/** Where the log of an instance begins, if not with its first event. */
export interface Front {
  readonly instance: string;
  /** The first number that is there, or would be. */
  readonly firstSeq: number;
}

/** All that was read, and what is known beside it. */
export interface ReadLog {
  readonly rules: HeadRules;
  readonly instances: ReadonlyMap<string, Known>;
  readonly anchors: Anchors;
  /** Instance -> heads that others speak of. */
  readonly expected: ReadonlyMap<string, InstanceHeads['expected']>;
  /** Instance -> what is said to be lost of it. */
  readonly lost: ReadonlyMap<string, readonly Lost[]>;
  /** `SEQ INSTANCE` -> who adopted that head. */
  readonly adopted: ReadonlyMap<string, Adoption[]>;
  /** Whether all instances are in what was read. */
  readonly whole: boolean;
  /** Whether it lacks what others have: then beginnings, ends and holes say nothing. */
  readonly sparse: boolean;
  readonly found: (finding: Finding) => void;
}

/** What can be judged only once all has been read: beginnings, ends, holes and who went on. */
export class Settling {
  readonly #log: ReadLog;
  /** Instances whose oldest events are not there, and nothing signed says that they were cut. */
  unanchored = 0;
  /** The first `FRONTS_MOST` of those. */
  readonly fronts: Front[] = [];
  /** Numbers that went while the log was read, as an anchor of that time accounts for. */
  goneMeanwhile = 0;

  constructor(log: ReadLog) {
    this.#log = log;
  }

  settle(): void {
    const { instances, expected, adopted, whole, sparse } = this.#log;
    for (const [name, known] of instances) {
      this.#settleKey(name, known);
      if (!sparse) this.#settle(name, known);
    }
    if (whole)
      for (const [name, heads] of expected)
        if (!instances.has(name)) this.#settleAbsent(name, heads);
    for (const adoptions of adopted.values()) this.#compareAdoptions(adoptions);
  }

  /** A key may be registered a moment after the first event that is signed with it. */
  #settleKey(instance: string, { heads: { key } }: Known): void {
    const { keys, source } = this.#log.rules;
    if (key === null || keys.size === 0 || keys.get(key.id) === key.publicKey) return;
    const message = `event 1 of ${instance} brings the key ${key.id}, which ${source} does not know`;
    const place = { instance, firstSeq: 1, lastSeq: 1, time: key.time === '' ? null : key.time };
    this.#log.found({ kind: 'foreign-key', ...place, message });
  }

  #settleAbsent(name: string, heads: InstanceHeads['expected']): void {
    if (!this.#isCut(name, heads)) this.#truncated(name, heads, 0, null);
  }

  #begins(instance: string, firstSeq: number): void {
    this.unanchored += 1;
    if (this.fronts.length < FRONTS_MOST) this.fronts.push({ instance, firstSeq });
  }

  /** All that they speak of was due to be cut. */
  #isCut(name: string, heads: InstanceHeads['expected']): boolean {
    const boundMs = this.#log.anchors.boundOf(name);
    return boundMs !== null && heads.every(({ time }) => Date.parse(time) <= boundMs);
  }

  /** Who ended before it kept a head of its own has left the one that it adopted to the next. */
  #compareAdoptions(adoptions: Adoption[]): void {
    adoptions.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
    adoptions.slice(1).forEach(({ by, time, previous }, at) => {
      const before = this.#log.instances.get(adoptions[at]!.by)!;
      if (baseOf(before.check.name) === baseOf(by)) return;
      if (before.heads.signed < 2 && before.check.lastTime <= time) return;
      const message =
        `${by} adopts event ${previous.seq} of ${previous.instance}, as ${before.check.name} did: ` +
        'two chains go on from one head';
      this.#log.found({ kind: 'forked', instance: by, firstSeq: 1, lastSeq: 1, time, message });
    });
  }

  #settle(name: string, known: Known): void {
    const { check, heads, missing } = known;
    const front = new MissingNumbers();
    if (check.firstSeq > 1) front.add({ first: 1, last: check.firstSeq - 1, time: null });
    for (const lost of this.#lostOf(name))
      for (const holes of [front, missing])
        for (const hole of holes.take(lost.first, lost.last))
          this.#log.found(lostOf(name, hole, lost));
    this.#settleFront(name, known, front.all());
    const lateMs = this.#log.anchors.lateBoundOf(name) ?? Number.NEGATIVE_INFINITY;
    for (const hole of missing.all())
      if (Date.parse(hole.nextTime ?? '') <= lateMs) this.goneMeanwhile += countOf(hole);
      else this.#log.found(missingOf(name, hole));
    const adopted = this.#adoptedOf(known);
    if (adopted !== null) this.#compareAdopted(...adopted, check.firstTime);
    this.#truncated(name, heads.expected, check.lastSeq, check.lastTime);
  }

  #lostOf(name: string): readonly Lost[] {
    return this.#log.lost.get(name) ?? [];
  }

  /** @param missing the first numbers, where they are not there and not said to be lost */
  #settleFront(name: string, known: Known, missing: readonly MissingRange[]): void {
    if (missing.length === 0) return;
    const { check, lateComer } = known;
    const boundMs = this.#log.anchors.boundOf(name);
    const verdict = boundMs === null ? ALL_MISSING : judgeFront(known, this.#lostOf(name), boundMs);
    if (verdict.is === 'cut') return;
    const isKnown = check.chained || known.heads.expected.length > 0;
    if (!isKnown && lateComer) this.#log.found(neverBegan(check));
    else if (verdict.is === 'hole' && isKnown && this.#log.whole)
      this.#log.found(frontHole(known, missing, verdict.firstSeq, boundMs !== null));
    else this.#begins(name, check.firstSeq);
  }

  #adoptedOf({ previous }: Known): [Known | null, NonNullable<Known['previous']>] | null {
    if (previous === null) return null;
    return [this.#log.instances.get(previous.instance) ?? null, previous];
  }

  /** A successor has seen its predecessor's head. */
  #compareAdopted(
    before: Known | null,
    previous: NonNullable<Known['previous']>,
    adoptedAt: string,
  ): void {
    const { instance, seq, chain } = previous;
    const has = before?.heads.chainAt(seq) ?? null;
    if (has !== null && has !== chain) {
      const message = `event ${seq} of ${instance} is another head than the one that its successor adopted`;
      const place = { instance, firstSeq: seq, lastSeq: seq, time: null };
      this.#log.found({ kind: 'head-replaced', ...place, message });
    }
    const stored = this.#log.expected.get(instance)?.some((head) => head.seq >= seq) ?? false;
    if (stored) return;
    const boundMs = this.#log.anchors.boundOf(instance);
    if (before === null && !this.#log.whole) return;
    // Of what was cut as a whole, the head may be gone too; it is older than its adoption.
    if (before === null && boundMs !== null) {
      if (!(Date.parse(adoptedAt) <= boundMs)) this.#begins(instance, seq + 1);
      return;
    }
    const last = before?.check.lastSeq ?? 0;
    const source = 'its successor';
    this.#truncated(
      instance,
      [{ seq, chain, source, time: '' }],
      last,
      before?.check.lastTime ?? null,
    );
  }

  /** Heads that lie behind the last event. */
  #truncated(
    instance: string,
    heads: InstanceHeads['expected'],
    lastSeq: number,
    time: string | null,
  ): void {
    const furthest = heads.reduce((seq, head) => Math.max(seq, head.seq), 0);
    const first = lastSeq + 1;
    if (furthest < first) return;
    const source = heads.find(({ seq }) => seq === furthest)!.source;
    const what = numbers(first, furthest);
    const message = `the end of ${instance} is cut off: ${source} holds a head that speaks of ${what}`;
    const place = { instance, firstSeq: first, lastSeq: furthest, time };
    this.#log.found({ kind: 'truncated', ...place, message });
  }
}

function countOf({ first, last }: MissingRange): number {
  return last - first + 1;
}

const FRONTS_MOST = 20;
const ALL_MISSING: FrontVerdict = { is: 'hole', firstSeq: 1 };

function neverBegan({ name, firstSeq, firstTime, lastSeq }: InstanceCheck): Finding {
  const message = `events from ${firstSeq} of ${name} are of an instance that never began`;
  const time = firstTime === '' ? null : firstTime;
  return { kind: 'inserted', instance: name, firstSeq, lastSeq, time, message };
}

/** Gates of one name may be workers of one data folder: they go on from the same head. */
function baseOf(instance: string): string {
  return instance.replace(/-[0-9a-f]{8}$/, '');
}
