import { notDue, sortedOut } from './aside.ts';
import type { BrokenSegment, CheckObserver } from './check-observer.ts';
import { runsOf } from './finding.ts';
import { Fingerprints } from './fingerprints.ts';
import { increasingPlaces } from './increasing.ts';
import { InstanceFindings } from './instance-findings.ts';
import { KeptLines } from './kept-lines.ts';
import { genuine, type Numbered } from './region.ts';

/** Out of order, events are waited for over so many links. */
const LINKS_WAITED = 3;

/**
 * Follows one instance's events in the order in which they are stored. While all is well, a segment
 * is hashed once, when its link comes. Once a number is not the next one, lines are kept over some
 * links more: then they are put in the order of their numbers, and what had to be moved, dropped or
 * missed to make the chain hold is what was done to them.
 */
export class InstanceCheck {
  readonly name: string;
  readonly #observer: CheckObserver;
  readonly #findings: InstanceFindings;
  readonly #prints = new Fingerprints();
  readonly #lines = new KeptLines();
  /** The lines kept begin with a link, or with the first event. */
  #whole = false;
  #next = 0;
  #outOfOrder = false;
  #linksWaited = 0;
  /** Numbers that came before they were due. */
  #early: readonly Numbered[] = [];
  firstSeq = 0;
  lastTime = '';
  firstTime = '';
  /** Number of the last link; 0 = there was none. */
  lastLink = 0;
  ended = false;
  /** Events in segments with holes: their link can say nothing of them. */
  unproven = 0;
  broken: BrokenSegment | null = null;

  constructor(name: string, observer: CheckObserver) {
    this.name = name;
    this.#observer = observer;
    this.#findings = new InstanceFindings(name, (finding) => observer.found(finding));
  }

  /** The last number that was found in its place. */
  get lastSeq(): number {
    return this.#next - 1;
  }

  /** Whether any event is a link. */
  get chained(): boolean {
    return this.lastLink > 0;
  }

  add(line: Numbered): void {
    if (this.#next === 0) this.#begin(line);
    if (line.seq !== this.#next && !this.#outOfOrder && this.#isKnownCopy(line)) return;
    if (line.seq === this.#next && !this.#outOfOrder) this.#inOrder(line);
    else this.#wait(line);
  }

  /** Nothing has come for long: gives back what its memory holds, and can still go on. */
  rest(): void {
    if (this.#outOfOrder) this.#resolve(true);
    this.#lines.pour();
    this.#prints.forget();
  }

  /** Tells what nothing that comes can add to; and, where it is silent, what waits for more. */
  settle(isSilent: boolean): void {
    if (isSilent) this.#waitNoMore();
    else if (this.lastLink > this.#findings.openUntil + 1) this.#findings.tellChanged();
  }

  #waitNoMore(): void {
    if (this.#outOfOrder) this.#resolve(true);
    for (const line of this.#early) this.#findings.one('inserted', line, NOT_DUE);
    this.#early = [];
    this.#findings.tellChanged();
  }

  /** No more events will come. */
  end(): void {
    this.#waitNoMore();
    this.#lines.restart();
    this.#prints.forget();
  }

  #begin(line: Numbered): void {
    this.firstSeq = line.seq;
    this.firstTime = line.time;
    this.#next = line.seq;
    this.#whole = line.seq === 1 || line.chain !== null;
  }

  /** Far from its place, and already there: nothing has to be put in order for it. */
  #isKnownCopy(line: Numbered): boolean {
    const [first] = this.#lines.all;
    const inRegion = first !== undefined && line.seq >= first.seq;
    if (inRegion || line.seq > this.#next || line.seq < this.firstSeq) return false;
    this.#tooLate(line);
    return true;
  }

  #tooLate(line: Numbered): void {
    const { seq } = line;
    if (this.#observer.cameLate(this.name, seq)) {
      this.#findings.one('reordered', line, 'stands behind events that came after it');
      return;
    }
    if (this.ended && seq > this.lastSeq) this.#findings.one('inserted', line, AFTER_END);
    else if (this.#prints.isCopy(seq, line.text) === false)
      this.#findings.one('inserted', line, 'is another event than the one with that number');
    else this.#findings.one('duplicated', line, TWICE);
  }

  #inOrder(line: Numbered): void {
    if (line.chain !== null) this.#close(line, line.chain);
    this.#keep(line);
    this.#next = line.seq + 1;
    this.#accept(line);
  }

  #accept(line: Numbered): void {
    this.lastTime = line.time;
    this.#prints.add(line.seq, line.text);
    if (this.ended) this.#findings.one('inserted', line, AFTER_END);
    if (line.chain !== null) this.lastLink = line.seq;
    if (line.type === 'instance-ended') this.ended = true;
    this.#observer.accepted(line);
  }

  #keep(line: Numbered): void {
    this.#lines.keep(line);
    if (this.#outOfOrder) return;
    if (this.#lines.isPoured || this.#lines.isMoreThan(1)) this.#lines.pour();
  }

  /** A link has come in its place: what it says of the segment before it. */
  #close(link: Numbered, chain: string): void {
    const first = this.#lines.firstSeq ?? link.seq;
    if (first < link.seq) this.#judge(first, link, this.#lines.digest(), chain);
    this.#lines.restart();
    this.#whole = true;
  }

  #judge(first: number, link: Numbered, digest: string, chain: string): void {
    const last = link.seq - 1;
    if (this.#whole) {
      if (digest !== chain) this.#findings.noteChanged(first, last, link.time);
    } else if (first === this.firstSeq) this.broken = { firstSeq: first, lastSeq: last };
    else this.unproven += last - first + 1;
  }

  /** Out of order: kept until enough links have come to tell what happened. */
  #wait(line: Numbered): void {
    if (!this.#outOfOrder) {
      this.#outOfOrder = true;
      this.#linksWaited = 0;
    }
    this.#lines.keep(line);
    if (line.chain !== null) this.#linksWaited += 1;
    const full = this.#lines.isMoreThan(2);
    if (full || (line.chain !== null && this.#linksWaited >= LINKS_WAITED)) this.#resolve(false);
  }

  #resolve(final: boolean): void {
    const lines = this.#lines.all;
    const places = increasingPlaces(lines.map(({ seq }) => seq));
    const main = places.map((place) => lines[place]!);
    const inMain = new Set(main);
    const aside = lines.filter((line) => !inMain.has(line));
    const lastLink = main.findLast(({ chain }) => chain !== null);
    // Without a link among them they are only put in order.
    const top = final || lastLink === undefined ? Number.POSITIVE_INFINITY : lastLink.seq;
    const base = this.#lines.isPoured ? this.#next : this.#lowest(lines, main[0]!.seq);
    const claims = new Map<number, Numbered[]>();
    for (const line of main) claims.set(line.seq, [line]);
    this.#sort(aside, claims, base, main.at(-1)!.seq);
    this.#settle(claims, base, top, main.at(-1)!.seq);
  }

  /** The first events of all may be those that were moved. */
  #lowest(lines: readonly Numbered[], first: number): number {
    if (lines[0]!.seq !== this.firstSeq) return first;
    const near = lines.filter(({ seq }) => first - seq <= lines.length);
    const line = near.reduce((lowest, one) => (one.seq < lowest.seq ? one : lowest));
    this.firstSeq = line.seq;
    this.#whole = line.seq === 1 || line.chain !== null;
    return line.seq;
  }

  /** What stands outside of the order: told, or put where it belongs. */
  #sort(
    aside: readonly Numbered[],
    claims: Map<number, Numbered[]>,
    base: number,
    last: number,
  ): void {
    const { wrong, early, moved } = sortedOut(aside, claims, base, last);
    for (const { line, how } of wrong)
      if (how === 'late') this.#tooLate(line);
      else this.#findings.one('duplicated', line, TWICE);
    this.#early = [...this.#early, ...early];
    const seqs = moved.map(({ seq }) => seq).sort((a, b) => a - b);
    for (const { first, last } of runsOf(seqs))
      this.#findings.say(
        'reordered',
        first,
        last,
        claims.get(first)![0]!,
        'does not stand in its place',
      );
  }

  /** Goes through the numbers in order, segment by segment. */
  #settle(claims: Map<number, Numbered[]>, base: number, top: number, last: number): void {
    this.#early = notDue(this.#early, claims, last);
    const seqs = [...claims.keys()].sort((a, b) => a - b);
    let segment: Numbered[][] = [];
    let from = base;
    let holed = this.#lines.isPoured || !this.#whole;
    let expected = this.#lines.isPoured ? this.#next : base;
    const done = this.#next;
    this.#outOfOrder = false;
    this.#lines.restart();
    for (const seq of seqs) {
      const candidates = claims.get(seq)!;
      if (seq > expected) {
        const before = segment.at(-1)?.[0]?.time ?? this.lastTime;
        this.#observer.missing(this.name, {
          first: expected,
          last: seq - 1,
          time: before === '' ? null : before,
          nextTime: candidates[0]!.time,
        });
        holed = true;
      }
      expected = seq + 1;
      const link = candidates.find(({ chain }) => chain !== null);
      if (link !== undefined && segment.length > 0) {
        this.#settleSegment(segment, link, holed, from, done);
        segment = [];
      }
      if (link !== undefined) {
        holed = false;
        from = seq;
        this.#whole = true;
      }
      segment.push(candidates);
      if (seq === top) break;
    }
    this.#lines.restart(this.#acceptAll(segment, null, done));
    if (holed) this.#whole = false;
    this.#next = expected;
    const rest = seqs.filter((seq) => seq > top).flatMap((seq) => claims.get(seq)!);
    for (const line of rest) this.add(line);
  }

  #settleSegment(
    segment: readonly Numbered[][],
    link: Numbered,
    holed: boolean,
    from: number,
    done: number,
  ): void {
    if (holed) {
      this.unproven += segment.length;
      this.#acceptAll(segment, null, done);
      return;
    }
    const { lines, proven } = genuine(segment, link.chain);
    this.#acceptAll(segment, lines, done);
    if (!proven) this.#findings.noteChanged(from, link.seq - 1, link.time);
  }

  /** Takes one line for each number; what else claims it was put there. */
  #acceptAll(
    segment: readonly (readonly Numbered[])[],
    chosen: readonly Numbered[] | null,
    done: number,
  ): readonly Numbered[] {
    return segment.map((candidates, place) => {
      const line = chosen?.[place] ?? candidates[0]!;
      for (const other of candidates)
        if (other !== line) this.#findings.one('inserted', other, CLAIMS);
      if (line.seq >= done) this.#accept(line);
      return line;
    });
  }
}

const TWICE = 'stands in the log a second time';
const CLAIMS = 'stands beside another event with the same number';
const NOT_DUE = 'has a number that was not due where it stands';
const AFTER_END = 'stands behind the end of its instance';
