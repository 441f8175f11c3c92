import { hash } from 'node:crypto';
import * as z from 'zod';
import { hasSigned, type KnownKeys } from './keys.ts';

/** What trimming says of one instance whose oldest events it cut. */
const cut = z.object({
  instance: z.string(),
  /** The first number that was kept. */
  nextSeq: z.int().min(1),
  chain: z.string().nullable(),
  /** SHA-256 of the lines that were kept up to the next link. */
  rest: z.string(),
});

export type Cut = Readonly<z.infer<typeof cut>>;

/** A signed word about a cut: an event of its writer, also kept beside the log. */
export const trimAnchor = z.object({
  instance: z.string(),
  seq: z.int().min(1),
  time: z.string(),
  cut: z.array(cut),
  key: z.string(),
  signature: z.string(),
});

export type TrimAnchor = Readonly<z.infer<typeof trimAnchor>>;

/** What is signed of an anchor. */
function trimText({ instance, seq, time, cut: cuts }: TrimAnchor): string {
  const digest = hash('sha256', JSON.stringify(cuts), 'base64url');
  return `sallyport-audit-trim/1\n${instance}\n${seq}\n${digest}\n${time}\n`;
}

/** Cuts of one instance that are remembered: the newest, and some before. */
const REMEMBERED = 16;

/** Where logs may begin. */
export class Anchors {
  readonly #cuts = new Map<string, Cut[]>();

  /** Whether anything was cut. */
  get any(): boolean {
    return this.#cuts.size > 0;
  }

  /** Answers whether the signature is that of a known key; else it accounts for nothing. */
  add(anchor: TrimAnchor, keys: KnownKeys): boolean {
    const publicKey = keys.get(anchor.key);
    if (publicKey === undefined || !hasSigned(publicKey, trimText(anchor), anchor.signature))
      return false;
    for (const one of anchor.cut) {
      const cuts = this.#cuts.get(one.instance) ?? [];
      if (cuts.some(({ nextSeq, rest }) => nextSeq === one.nextSeq && rest === one.rest)) continue;
      cuts.push(one);
      cuts.sort((a, b) => a.nextSeq - b.nextSeq);
      if (cuts.length > REMEMBERED) cuts.shift();
      this.#cuts.set(one.instance, cuts);
    }
    return true;
  }

  /** The first number that must be there; 1 where nothing was cut. */
  nextOf(instance: string): number {
    return this.#cuts.get(instance)?.at(-1)?.nextSeq ?? 1;
  }

  /** What the lines from this number to the next link must be; null: no anchor says it. */
  restAt(instance: string, seq: number): string | null {
    return this.#cuts.get(instance)?.find(({ nextSeq }) => nextSeq === seq)?.rest ?? null;
  }
}
