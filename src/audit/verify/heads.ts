import { headText } from '../chain/signed.ts';
import type { Finding, FindingKind } from './finding.ts';
import { hasSigned, type KnownKeys, keyIdOf, type SignedHead, signedHead } from './keys.ts';
import { type LogLine, textOf } from './line.ts';
import type { Numbered } from './region.ts';

/** A head that somebody else than the log itself speaks of. */
export interface ExpectedHead {
  readonly seq: number;
  readonly chain: string;
  readonly time: string;
  /** Where it stands, as the end of a sentence: `the trust file`. */
  readonly source: string;
}

/** So many of an instance's newest heads are remembered, for those who adopt one. */
const REMEMBERED = 16;

/** What one instance has signed, and what others say that it has. */
export class InstanceHeads {
  /** Id and key of its first event; null: that is not in the log any more. */
  key: { readonly id: string; readonly publicKey: string; readonly time: string } | null = null;
  expected: ExpectedHead[] = [];
  signed = 0;
  /** Whose key nobody has brought: the part that is read begins after it. */
  unverified = 0;
  /** The oldest and the newest one whose signature holds. */
  first: SignedHead | null = null;
  newest: SignedHead | null = null;
  readonly #recent: { seq: number; chain: string }[] = [];

  remember(seq: number, chain: string): void {
    this.#recent.push({ seq, chain });
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
  }

  /** Null: it is not remembered. */
  chainAt(seq: number): string | null {
    return this.#recent.find((head) => head.seq === seq)?.chain ?? null;
  }
}

export interface HeadRules {
  /** Those of the trust file, or those that the store knows; empty: nobody knows any. */
  readonly keys: KnownKeys;
  /** Where the keys come from. */
  readonly source: string;
  /** Not the whole log is read: the event that brings a key may be outside of it. */
  readonly part: boolean;
}

type Say = (finding: Finding) => void;

/** The key that an instance presents in its first event; whether it is known, is settled later. */
export function readKey(line: Numbered, heads: InstanceHeads, say: Say): void {
  const id = textOf(line.event.key);
  const publicKey = textOf(line.event.publicKey);
  if (publicKey === '') return;
  if (keyIdOf(publicKey) !== id)
    say(finding('changed', line, `says that its key is ${id}, and brings another one`));
  heads.key = { id, publicKey, time: line.time };
}

/**
 * A head or an end: who has signed it. Answers whether all up to it counts as signed: it is, or its
 * key is not known here and it is counted for that.
 */
export function readHead(
  line: Numbered,
  heads: InstanceHeads,
  rules: HeadRules,
  say: Say,
): boolean {
  const { key, signature } = line.event;
  const lastHead = signedHead.shape.lastHead.safeParse(line.event.lastHead).data;
  const head = { ...placeOf(line), lastHead, key: textOf(key), signature: textOf(signature) };
  const own = heads.key;
  const publicKey = rules.keys.get(head.key) ?? (own?.id === head.key ? own.publicKey : null);
  if (rules.part && rules.keys.size === 0 && own === null) {
    heads.unverified += 1;
    return true;
  }
  if (publicKey === null || (own !== null && own.id !== head.key)) {
    say(finding('foreign-key', line, `is signed with the key ${head.key}, which is not its key`));
    return false;
  }
  if (!hasSigned(publicKey, headText(head, lastHead), head.signature)) {
    say(finding('head-replaced', line, `is a head whose signature does not hold`));
    return false;
  }
  heads.signed += 1;
  heads.first ??= head;
  heads.newest = head;
  return true;
}

/** What others say of a link at this number. */
export function compareExpected(line: Numbered, heads: InstanceHeads, say: Say): void {
  if (heads.expected.length === 0) return;
  for (const { seq, chain, source } of heads.expected)
    if (seq === line.seq && chain !== line.chain)
      say(finding('head-replaced', line, `is another head than the one that ${source} holds`));
}

function placeOf(line: LogLine & { readonly seq: number }) {
  return { instance: line.instance, seq: line.seq, chain: line.chain ?? '', time: line.time };
}

export function finding(kind: FindingKind, line: LogLine, how: string): Finding {
  const { instance, seq, time } = line;
  const event = seq === null ? 'an event without a number' : `event ${seq}`;
  const place = { instance, firstSeq: seq, lastSeq: seq, time: time === '' ? null : time };
  return { kind, ...place, message: `${event} of ${instance} ${how}` };
}
