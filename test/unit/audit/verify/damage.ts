import type { KnownBeside } from '../../../../src/audit/verify/options.ts';
import {
  type Head,
  LogInstance,
  type LogKey,
  makeLogKey,
  sha256,
  trimAnchor,
  unknownOutcome,
} from '../../../support/chained-log.ts';
import type { Random } from './random.ts';

/** A log as a store holds it, and what stands beside it. */
export interface TestLog {
  lines: string[];
  beside: KnownBeside & { heads: Head[]; anchors: Anchor[] };
  /** Whole, with their numbers in the order in which they wrote. */
  instances: LogInstance[];
  key: LogKey;
}

type Anchor = KnownBeside['anchors'][number];

const KEY = makeLogKey();
const FOREIGN = makeLogKey();

/** Some instances after and beside each other, links and heads at random places. */
export function makeLog(random: Random): TestLog {
  let ms = Date.UTC(2030, 0, 1);
  const now = () => {
    ms += random.below(800);
    return new Date(ms).toISOString();
  };
  const step = (instance: LogInstance) => {
    const what = random.below(24);
    // As a gate does, within ten seconds.
    if (what === 0 || ms - instance.signedMs > 8_000) instance.sign();
    else instance.call(what < 4);
  };
  const lines: string[] = [];
  const instances: LogInstance[] = [];
  const first = new LogInstance('gate-a.1', KEY, null, now);
  const beside = new LogInstance('gate-b.1', KEY, null, now);
  instances.push(first, beside);
  const streams = [first, beside];
  const silentAt = random.below(200);
  for (let i = 0; i < 160 + random.below(200); i += 1) {
    step(streams[random.below(2)]!);
    if (i !== silentAt) continue;
    for (const one of streams) one.sign();
    ms += 3_600_000;
  }
  first.sign(random.below(2) === 0 ? 'instance-ended' : 'chain-head');
  const next = new LogInstance('gate-a.2', KEY, first.head, now);
  instances.push(next);
  if (random.below(3) === 0) {
    next.lose(1 + random.below(5));
    next.sign();
  }
  for (let i = 0; i < 100 + random.below(200); i += 1) step(random.below(2) ? next : beside);
  const closed = witnessed(next, beside, random, now);
  for (const one of [next, beside]) {
    step(one);
    one.sign();
    one.sign('instance-ended');
  }
  merge(lines, instances, random, closed);
  const heads = instances.map(({ head }) => head!);
  const keys = new Map([[KEY.id, KEY.publicKey]]);
  const log: TestLog = { lines, beside: { keys, heads, anchors: [] }, instances, key: KEY };
  if (random.below(3) === 0) trim(log, random, now());
  return log;
}

/** Outcomes without number, and the event that vouches for them. */
function witnessed(by: LogInstance, of: LogInstance, random: Random, now: () => string) {
  const count = 2 + random.below(4);
  const lines = Array.from({ length: count }, (_, i) =>
    unknownOutcome(by.name, of.name, `left-${i}`, now()),
  );
  const digest = sha256(lines.map((line) => `${line}\n`).join(''));
  const known = { type: 'permits-closed', phase: 'chain', decidedBy: of.name };
  const witness = by.other({ ...known, count, digest });
  return { lines, witness };
}

/** Interleaved: each instance in its order, a successor after its predecessor. */
function merge(
  lines: string[],
  [first, beside, next]: LogInstance[],
  random: Random,
  closed: { lines: string[]; witness: string },
): void {
  const queues = [[...first!.lines, ...next!.lines], [...beside!.lines]];
  while (queues.some((queue) => queue.length > 0)) {
    const line = queues[random.below(2)]!.shift();
    if (line === closed.witness) lines.push(...closed.lines);
    if (line !== undefined) lines.push(line);
  }
}

/** Cuts the oldest events, as retention does, and leaves an anchor. */
function trim(log: TestLog, random: Random, time: string): void {
  const gone = log.lines.splice(0, 20 + random.below(160));
  const newest = Math.max(...gone.map((line) => Date.parse(read(line).time)));
  const before = new Date(newest + 1 + random.below(2_000)).toISOString();
  const writer = log.instances[2]!;
  const streams = random.below(2) === 0 ? ['all'] : ['0', '1', '2', '3'];
  for (const stream of streams)
    log.beside.anchors.push(trimAnchor(writer, before, time, stream) as Anchor);
}

type Event = { instance: string; seq?: number; time: string; type: string; chain?: string };

const read = (line: string) => JSON.parse(line) as Event;

/** Something done to a log, and as what it must be found. */
export interface Damage {
  readonly name: string;
  /** Null: this log is none that it can be done to. */
  readonly to: (log: TestLog, random: Random) => Expected | null;
}

export interface Expected {
  readonly kinds: readonly string[];
  readonly instance: string | null;
  /** A number that a finding must hold; null: it names none. */
  readonly seq: number | null;
}

/** Places of events that the last head of their instance covers. */
function covered(log: TestLog, random: Random, but: (event: Event) => boolean = () => false) {
  const places = log.lines.flatMap((line, place) => {
    const event = read(line);
    const last = log.beside.heads.find(({ instance }) => instance === event.instance)?.seq ?? 0;
    if (event.seq === undefined || event.seq >= last || event.seq === 1) return [];
    const first = log.lines.findIndex((one) => read(one).instance === event.instance);
    return but(event) || place === first ? [] : [place];
  });
  return places[random.below(places.length)]!;
}

const named = (line: string, ...kinds: string[]): Expected => {
  const { instance, seq } = read(line);
  return { kinds, instance, seq: seq ?? null };
};

/** The places of an instance's own events, from one on. */
function placesOf(log: TestLog, instance: string, from = 0): number[] {
  return log.lines.flatMap((line, place) => {
    const event = read(line);
    return event.instance === instance && event.seq !== undefined && place >= from ? [place] : [];
  });
}

/** Between a cut and the next link: no hash speaks of it alone. */
function isUnhashed(log: TestLog, place: number): boolean {
  const own = placesOf(log, read(log.lines[place]!).instance).map((at) => read(log.lines[at]!));
  const link = own.find(({ chain }) => chain !== undefined);
  return own[0]!.seq !== 1 && read(log.lines[place]!).seq! < link!.seq!;
}

const isDeclared = ({ type }: Event) => type === 'events-lost' || type === 'permits-closed';

export const DAMAGES: readonly Damage[] = [
  {
    name: 'deletion',
    to(log, random) {
      const place = covered(log, random, isDeclared);
      const [gone] = log.lines.splice(place, 1);
      return named(gone!, 'missing');
    },
  },
  {
    name: 'deletion of many',
    to(log, random) {
      const place = covered(log, random, isDeclared);
      const { instance } = read(log.lines[place]!);
      const all = placesOf(log, instance, place).slice(0, 2 + random.below(30));
      const gone = all.filter((one) => !isDeclared(read(log.lines[one]!))).slice(0, -1);
      if (gone.length === 0 || gone.at(-1) === placesOf(log, instance).at(-1)) return null;
      const found = named(log.lines[gone[0]!]!, 'missing');
      log.lines = log.lines.filter((_line, at) => !gone.includes(at));
      return found;
    },
  },
  {
    name: 'change',
    to(log, random) {
      const place = covered(log, random, ({ type }) => type !== 'call');
      const line = log.lines[place]!;
      if (isUnhashed(log, place)) return null;
      const words = ['"status":200', '"method":"GET"', '"path":"/things/', '"reason":"permitted'];
      const word = words[random.below(words.length)]!;
      const at = line.indexOf(word) + word.length - 2;
      const digit = line[at] === '1' ? '2' : '1';
      log.lines[place] = line.slice(0, at) + digit + line.slice(at + 1);
      return named(line, 'changed');
    },
  },
  {
    name: 'reordering',
    to(log, random) {
      const place = covered(log, random);
      const { instance } = read(log.lines[place]!);
      const later = placesOf(log, instance, place)[1 + random.below(6)];
      if (later === undefined) return null;
      const [line] = log.lines.splice(place, 1);
      log.lines.splice(later, 0, line!);
      const { seq } = read(line!);
      const moved = log.lines.slice(place, later).map(read);
      const beside = moved.filter((event) => event.instance === instance && event.seq! > seq!);
      return { ...named(line!, 'reordered'), seq: beside.length === 1 ? null : seq! };
    },
  },
  {
    name: 'duplication',
    to(log, random) {
      const place = covered(log, random);
      const line = log.lines[place]!;
      log.lines.splice(place + 1 + random.below(log.lines.length - place), 0, line);
      return named(line, 'duplicated');
    },
  },
  {
    name: 'insertion',
    to(log, random) {
      const place = covered(log, random);
      const line = log.lines[place]!;
      const forged = { ...read(line), path: '/forged', decision: 'refusal' };
      log.lines.splice(place + random.below(2), 0, JSON.stringify(forged));
      return named(line, 'inserted');
    },
  },
  {
    name: 'truncation',
    to(log, random) {
      const { name } = log.instances[1 + random.below(2)]!;
      const own = placesOf(log, name).slice(1);
      const gone = own.slice(-1 - random.below(Math.min(30, own.length - 1)));
      const found = named(log.lines[gone[0]!]!, 'truncated');
      log.lines = log.lines.filter((_line, at) => !gone.includes(at));
      return found;
    },
  },
  {
    name: 'fork',
    to(log, random) {
      const { name, lines } = log.instances[2]!;
      const { time } = read(lines[0]!);
      if (!log.lines.includes(lines[0]!)) return null;
      const twin = new LogInstance('gate-a.3', KEY, log.instances[0]!.head, () => time);
      for (let i = 0; i < 5 + random.below(20); i += 1) twin.call(random.below(3) === 0);
      twin.sign();
      twin.sign('instance-ended');
      const begun = log.lines.findIndex((line) => read(line).instance === name);
      log.lines.splice(begun + random.below(log.lines.length - begun) + 1, 0, ...twin.lines);
      return named(twin.lines[0]!, 'forked');
    },
  },
  {
    name: 'another key',
    to(log, random) {
      const old = log.instances[1]!;
      const at = log.lines.findIndex((line) => read(line).instance === old.name);
      if (read(log.lines[at]!).seq !== 1) return null;
      const whole = random.below(2) === 0;
      resign(log, old, whole ? 1 : 2 + random.below(old.seq - 3));
      return { kinds: ['foreign-key'], instance: old.name, seq: null };
    },
  },
  {
    name: 'another head',
    to(log, random) {
      const { name } = log.instances[random.below(3)]!;
      const heads = placesOf(log, name).filter((at) => read(log.lines[at]!).type === 'chain-head');
      const place = heads[random.below(heads.length)];
      if (place === undefined) return null;
      const line = log.lines[place]!;
      log.lines[place] = line.replace(/"signature":"..../, '"signature":"AAAA');
      return named(line, 'head-replaced');
    },
  },
  {
    name: 'anchor',
    to(log, random) {
      const [anchor] = log.beside.anchors;
      const { name } = log.instances[random.below(3)]!;
      const first = placesOf(log, name)[0];
      if (anchor === undefined || first === undefined) return null;
      if (random.below(2) === 0) {
        const { seq } = read(log.lines[first]!);
        if (seq === 1) return null;
        log.beside.anchors = [];
        return { kinds: ['anchor-missing'], instance: name, seq: seq! - 1 };
      }
      const later = { trimmedBefore: anchor.time };
      const future = trimAnchor(log.instances[2]!, '2031-01-01T00:00:00.000Z', anchor.time);
      log.beside.anchors[0] = random.below(2) === 0 ? { ...anchor, ...later } : (future as Anchor);
      return { kinds: ['anchor-false'], instance: anchor.instance, seq: null };
    },
  },
  {
    name: 'deletion at the front, past the anchor',
    to(log, random) {
      const { name } = log.instances[1 + random.below(2)]!;
      const own = placesOf(log, name);
      const bounds = log.beside.anchors.map(({ trimmedBefore }) => Date.parse(trimmedBefore));
      // A minute is allowed, and a head speaks for seconds before it.
      const young = own.filter(
        (at) => Date.parse(read(log.lines[at]!).time) > Math.max(...bounds) + 80_000,
      );
      const from = young[2 + random.below(20)];
      if (bounds.length === 0 || from === undefined || from >= own.at(-3)!) return null;
      const gone = own.filter((at) => at < from);
      const { seq } = read(log.lines[from]!);
      log.lines = log.lines.filter((_line, at) => !gone.includes(at));
      return { kinds: ['missing'], instance: name, seq: seq! - 1 };
    },
  },
  {
    name: 'outcomes without number',
    to(log, random) {
      const places = log.lines.flatMap((line, at) => (read(line).seq === undefined ? [at] : []));
      const place = places[random.below(places.length)]!;
      const line = log.lines[place]!;
      const { instance } = read(line);
      const what = random.below(3);
      if (what === 0) log.lines.splice(place, 1);
      else if (what === 1)
        log.lines[place] = line.replace('"reason":"outcome-unknown"', '"reason":"x"');
      else log.lines.splice(place + 1, 0, line.replace('left-', 'forged-'));
      return { kinds: [['missing', 'changed', 'inserted'][what]!], instance, seq: null };
    },
  },
];

/** From a number on, written anew by somebody with a key of his own. */
function resign(log: TestLog, old: LogInstance, from: number): void {
  let ms = Date.UTC(2030, 0, 1);
  const forged = new LogInstance(old.name, from === 1 ? FOREIGN : KEY, null, () => {
    ms += 1;
    return new Date(ms).toISOString();
  });
  for (const line of old.lines.slice(1, from - 1)) repeat(forged, line);
  const foreign = from === 1 ? forged : Object.assign(forged, { key: FOREIGN });
  for (const line of old.lines.slice(Math.max(1, from - 1))) repeat(foreign, line);
  const places = placesOf(log, old.name);
  places.forEach((place, at) => {
    log.lines[place] = forged.lines[at]!;
  });
}

function repeat(forged: LogInstance, line: string): void {
  const { id: _id, time: _time, instance: _instance, seq: _seq, ...event } = JSON.parse(line);
  const { chain, key: _key, signature: _signature, ...rest } = event;
  if (event.type === 'chain-head' || event.type === 'instance-ended') forged.sign(event.type);
  else if (chain !== undefined) forged.call(true);
  else forged.other(rest);
}
