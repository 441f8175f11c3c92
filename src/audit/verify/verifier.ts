import { headText } from '../chain/signed.ts';
import { Anchors, type TrimAnchor, trimAnchor } from './anchors.ts';
import type { CheckObserver } from './check-observer.ts';
import { type Finding, isGap, lostOf, missingOf } from './finding.ts';
import {
  compareExpected,
  finding,
  type HeadRules,
  InstanceHeads,
  readHead,
  readKey,
} from './heads.ts';
import { InstanceCheck } from './instance-check.ts';
import { hasSigned, type SignedHead, type Trust } from './keys.ts';
import type { Adoption, Known, Lost } from './known.ts';
import { type LogLine, NO_CHAIN, readLine, textOf } from './line.ts';
import { MissingNumbers, type MissingRange } from './missing.ts';
import type { VerifierOptions } from './options.ts';
import type { Numbered } from './region.ts';
import { Settling } from './settling.ts';
import { type Summary, summaryOf } from './summary.ts';
import { type WitnessedLog, Witnesses } from './witnesses.ts';

/**
 * Reads the events of many instances in the order in which they are stored, and tells what was done
 * to them. Its memory does not grow with the log: of an instance it keeps the segment under way,
 * and of one that ended some numbers.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #instances = new Map<string, Known>();
  readonly #anchors: Anchors;
  readonly #witnesses: Witnesses;
  readonly #rules: HeadRules;
  readonly #expected = new Map<string, InstanceHeads['expected']>();
  /** Instance -> what is said to be lost of it. */
  readonly #lost = new Map<string, Lost[]>();
  /** `SEQ INSTANCE` -> who adopted that head. */
  readonly #adopted = new Map<string, Adoption[]>();
  readonly #observer: CheckObserver;
  /** Instances that keep lines, the one that wrote last at the end. */
  readonly #active = new Map<string, Known>();
  #newest: Known | null = null;
  #events = 0;
  #gaps = 0;
  #edits = 0;
  #changes = 0;
  #elsewhere = 0;
  #chainSeen = false;
  /** Of heads beside a record that goes on. */
  #unsettled: Finding[] = [];

  constructor(options: VerifierOptions) {
    this.#options = options;
    const { trust, beside, nowMs } = options;
    this.#anchors = new Anchors(nowMs);
    const part = !options.whole;
    this.#rules =
      trust === null
        ? { keys: beside.keys, source: 'the store', part }
        : { keys: new Map(trust.keys.map((one) => [one.key, one.publicKey])), source: TRUST, part };
    this.#witnesses = new Witnesses((found) => this.#found(found));
    this.#observer = {
      found: (found) => this.#found(found),
      accepted: (line) => this.#accepted(line),
      missing: (...range) => this.#missing(...range),
      cameLate: (instance, seq) => this.#instances.get(instance)!.missing.take(seq, seq).length > 0,
    };
    for (const anchor of beside.anchors) this.#anchor(anchor, null);
  }

  get events(): number {
    return this.#events;
  }

  get gaps(): number {
    return this.#gaps;
  }

  get edits(): number {
    return this.#edits;
  }

  add(text: string): void {
    this.#events += 1;
    const line = readLine(text);
    if (line === null) this.#unreadable(text);
    else if (line.phase === 'change') this.#changes += 1;
    else if (line.seq === null) this.#unnumbered(line);
    else this.#numbered(this.#known(line.instance), line as Numbered);
  }

  #numbered(known: Known, line: Numbered): void {
    known.added += 1;
    known.check.add(line);
  }

  /** Before the first event: a head that must be there. */
  expectHead(head: SignedHead, from: 'store' | 'trust'): void {
    this.#expect(head, from === 'trust' ? TRUST : 'the store', (found) => this.#found(found));
  }

  /** One that came to be while the log was read. */
  addAnchor(anchor: TrimAnchor, late = true): void {
    this.#anchor(anchor, null, late);
  }

  /** @param seq number of the event that it is; null: it lies beside the log */
  #anchor(anchor: TrimAnchor, seq: number | null, late = false): void {
    const keys = this.#keysFor(anchor);
    if (this.#rules.part && keys.size === 0) return;
    const wrong = this.#anchors.add(anchor, keys, late);
    if (wrong === null) return;
    const { instance, time } = anchor;
    const message = `the anchor of ${instance} about a trimmed log ${wrong}`;
    this.#found({ kind: 'anchor-false', instance, firstSeq: seq, lastSeq: seq, time, message });
  }

  /** Heads of all that was read, for a trust file. */
  heads(): readonly SignedHead[] {
    return [...this.#instances.values()].flatMap(({ heads: { newest } }) => newest ?? []);
  }

  /** The keys that the instances brought. */
  keys(): Trust['keys'] {
    const keys = new Map(this.#options.beside.keys);
    for (const { heads } of this.#instances.values())
      if (heads.key !== null) keys.set(heads.key.id, heads.key.publicKey);
    return [...keys].map(([key, publicKey]) => ({ key, publicKey }));
  }

  /** Of a record that goes on: what the store keeps beside it now. */
  expect(heads: readonly SignedHead[]): void {
    this.#unsettled = [];
    this.#expected.clear();
    this.#expectAll(heads, (found) => this.#unsettled.push(found));
    for (const [name, known] of this.#instances)
      known.heads.expected = this.#expected.get(name) ?? [];
  }

  /**
   * Of a record that goes on: what looks wrong with all that was read, and may come right yet. What
   * waits for an instance that has said nothing since the last time is judged, and told at once.
   */
  unsettled(nowMs: number): readonly Finding[] {
    for (const known of this.#instances.values()) {
      known.check.settle(known.added === known.addedBefore);
      known.addedBefore = known.added;
    }
    this.#witnesses.settle(this.#witnessedLog, nowMs);
    const findings = [...this.#unsettled];
    this.#settling((found) => findings.push(found)).settle();
    // Those are told when they are declared.
    return findings.filter(({ kind }) => kind !== 'lost');
  }

  /** Counts and tells one of those that has stayed. */
  tell(finding: Finding): void {
    this.#found(finding);
  }

  /** All has been read. */
  end(): Summary {
    for (const { check } of this.#instances.values()) check.end();
    const settling = this.#settling((found) => this.#found(found));
    settling.settle();
    this.#witnesses.end(this.#witnessedLog);
    return summaryOf({
      events: this.#events,
      gaps: this.#gaps,
      edits: this.#edits,
      changes: this.#changes,
      elsewhere: this.#elsewhere,
      trusted: this.#options.trust !== null,
      instances: [...this.#instances.values()],
      witnesses: this.#witnesses,
      settling,
      trimmedBefore: this.#anchors.newest,
    });
  }

  get #witnessedLog(): WitnessedLog {
    return {
      part: !this.#options.whole,
      livedUntil: (name) => livedUntil(this.#instances.get(name)?.check),
      boundOf: (name) => this.#anchors.boundOf(name),
    };
  }

  #settling(found: (finding: Finding) => void): Settling {
    return new Settling({
      rules: this.#rules,
      instances: this.#instances,
      anchors: this.#anchors,
      expected: this.#expected,
      lost: this.#lost,
      adopted: this.#adopted,
      whole: this.#options.whole,
      sparse: this.#options.sparse,
      found,
    });
  }

  #found(found: Finding): void {
    if (this.#options.goesOn && found.kind === 'duplicated') return;
    if (isGap(found)) this.#gaps += 1;
    else this.#edits += 1;
    this.#options.found(found);
  }

  #known(name: string): Known {
    if (this.#newest?.check.name === name) return this.#newest;
    const known = this.#find(name);
    this.#newest = known;
    this.#active.delete(name);
    this.#active.set(name, known);
    if (this.#active.size > MOST_ACTIVE) {
      const [oldest, { check }] = this.#active.entries().next().value!;
      this.#active.delete(oldest);
      check.rest();
    }
    return known;
  }

  #find(name: string): Known {
    let known = this.#instances.get(name);
    if (known === undefined) {
      const heads = new InstanceHeads();
      heads.expected = this.#expected.get(name) ?? [];
      const check = new InstanceCheck(name, this.#observer);
      const missing = new MissingNumbers();
      const lateComer = this.#chainSeen;
      const none = {
        previous: null,
        count: 0,
        sinceLink: 0,
        sinceHead: 0,
        added: 0,
        addedBefore: 0,
      };
      known = { check, heads, missing, lateComer, ...none };
      this.#instances.set(name, known);
    }
    return known;
  }

  #unreadable(text: string): void {
    const shown = JSON.stringify(text.slice(0, 40));
    const message = `line ${this.#events} of the log is no event: ${shown}`;
    const nobody = { instance: null, firstSeq: null, lastSeq: null, time: null };
    this.#found({ kind: 'unreadable', ...nobody, message });
  }

  #unnumbered(line: LogLine): void {
    if (line.phase === 'outcome' && 'decidedBy' in line.event) this.#witnesses.line(line);
    else this.#found(finding('inserted', line, 'is none that is written without a number'));
  }

  #expectAll(heads: readonly SignedHead[], say: (finding: Finding) => void): void {
    for (const head of heads) this.#expect(head, 'the store', say);
    for (const head of this.#options.trust?.heads ?? []) this.#expect(head, TRUST, say);
  }

  #expect(head: SignedHead, source: string, say: (finding: Finding) => void): void {
    const known = this.#rules.keys.get(head.key) ?? this.#options.beside.keys.get(head.key);
    const holds =
      known !== undefined && hasSigned(known, headText(head, head.lastHead), head.signature);
    if (!holds) {
      const { instance, seq, time } = head;
      const message = `the head of ${instance} that ${source} holds is not signed by a known key`;
      say({ kind: 'head-replaced', instance, firstSeq: seq, lastSeq: seq, time, message });
      return;
    }
    const heads = this.#expected.get(head.instance) ?? [];
    heads.push({ seq: head.seq, chain: head.chain, time: head.time, source });
    this.#expected.set(head.instance, heads);
  }

  #keysFor({ instance, key }: TrimAnchor): ReadonlyMap<string, string> {
    const own = this.#instances.get(instance)?.heads.key;
    if (this.#rules.keys.size > 0 || own?.id !== key) return this.#rules.keys;
    return new Map([[key, own.publicKey]]);
  }

  #missing(instance: string, range: MissingRange): void {
    if (this.#options.sparse) this.#elsewhere += range.last - range.first + 1;
    else if (!this.#instances.get(instance)!.missing.add(range))
      this.#found(missingOf(instance, range));
  }

  #accepted(line: Numbered): void {
    const known = this.#instances.get(line.instance)!;
    const { heads } = known;
    const say = (found: Finding) => this.#found(found);
    known.count += 1;
    known.sinceLink = line.chain === null ? known.sinceLink + 1 : 1;
    known.sinceHead += 1;
    if (line.chain !== null) heads.remember(line.seq, line.chain);
    compareExpected(line, heads, say);
    if (line.phase !== 'chain') return;
    switch (line.type) {
      case 'instance-begun':
        this.#begun(line, known);
        break;
      case 'chain-head':
      case 'instance-ended':
        if (readHead(line, heads, this.#rules, say)) known.sinceHead = 0;
        break;
      case 'events-lost':
        this.#declareLost(line);
        break;
      case 'permits-closed':
        this.#witnesses.witness(line);
        break;
      case 'log-trimmed':
        this.#trimmed(line);
        break;
    }
  }

  #begun(line: Numbered, known: Known): void {
    this.#chainSeen = true;
    const say = (found: Finding) => this.#found(found);
    readKey(line, known.heads, say);
    const previous = line.event.previous as Known['previous'] | undefined;
    if (line.seq !== 1) say(finding('inserted', line, 'begins an instance that has begun'));
    if (line.chain !== (previous?.chain ?? NO_CHAIN))
      say(finding('changed', line, 'does not adopt the head that it names'));
    if (previous === null || previous === undefined) return;
    known.previous = previous;
    this.#adopt(line, previous);
  }

  #adopt({ instance, time }: Numbered, previous: NonNullable<Known['previous']>): void {
    const place = `${previous.seq} ${previous.instance}`;
    const adoptions = this.#adopted.get(place);
    if (adoptions === undefined) this.#adopted.set(place, [{ by: instance, time, previous }]);
    else adoptions.push({ by: instance, time, previous });
  }

  #declareLost({ instance: by, event, time }: Numbered): void {
    const { firstSeq, lastSeq, reason, ofInstance } = event;
    const instance = textOf(ofInstance) || by;
    const lost = { first: Number(firstSeq), last: Number(lastSeq), reason: textOf(reason), by };
    const known = this.#lost.get(instance);
    if (known === undefined) this.#lost.set(instance, [lost]);
    else known.push(lost);
    if (this.#options.goesOn) this.#found(lostOf(instance, { ...lost, time }, lost));
  }

  #trimmed(line: Numbered): void {
    const { data } = trimAnchor.safeParse(line.event);
    if (data !== undefined) this.#anchor(data, line.seq);
    else this.#found(finding('anchor-false', line, 'is an anchor that cannot be read'));
  }
}

/** Instances whose lines are kept, of those that wrote last. */
const MOST_ACTIVE = 64;
const TRUST = 'the trust file';

/** An instance that ended well is taken to have said all that it had to say. */
function livedUntil(check: InstanceCheck | undefined): number {
  if (check === undefined) return Number.NaN;
  return check.ended ? Number.POSITIVE_INFINITY : Date.parse(check.lastTime);
}
