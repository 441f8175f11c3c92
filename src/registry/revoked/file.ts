import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { turn } from '../../turns.ts';
import { openOwnFile } from '../own-file.ts';
import type { StoreState } from '../position.ts';
import type { Fact } from './fact.ts';
import { REVOKED_LIMITS } from './revoked.ts';

/**
 * What an instance has seen revoked and lowered, beside the marker in its data folder: one file for
 * each kind of store. Digests of tokens, no token.
 */
export const REVOKED_FILES = {
  embedded: 'revoked-embedded.ndjson',
  redis: 'revoked-redis.ndjson',
} as const;

/** What an instance has seen, and how far it had come by then. */
export interface Remembered {
  readonly at: StoreState;
  readonly facts: readonly (readonly [label: string, fact: Fact])[];
}

/** Version 1 held accounts alone. */
const FORMAT = { format: 'sallyport-revoked', version: 2 } as const;
/** Of a full one: 10,000 accounts of 16 digests. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Lines that are made in one turn of the event loop. */
const SLICE = 200;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const headShape = z.object({
  format: z.literal(FORMAT.format),
  version: z.union([z.literal(1), z.literal(FORMAT.version)]),
  at: z.object({
    epoch: z.string().min(1),
    seq: z.int().min(0),
    tip: z.string().exactOptional(),
    tombstones: z.int().min(0).exactOptional(),
  }),
  facts: z.int().min(0).max(REVOKED_LIMITS.accounts),
});
const seen = { seq: z.int().min(0), lost: z.enum(['no', 'untold', 'told']) };
const accountShape = z.object({
  ...seen,
  account: z.string().regex(/^[0-9A-Za-z]{12}$/),
  digests: z.record(digest, z.number()),
  deleted: z.boolean(),
  inactive: z.boolean(),
  rights: z.string().nullable(),
});
const policyShape = z.object({
  ...seen,
  policy: z.string().regex(/^(role|team):/),
  seen: z.array(z.array(z.string())),
});
const lineShape = z.union([accountShape, policyShape]);

/** Null when there is no such file. Throws an `Error` that says why one cannot be used. */
export function readRevoked(folder: string, store: keyof typeof REVOKED_FILES): Remembered | null {
  const text = textOf(join(folder, REVOKED_FILES[store]));
  if (text === null) return null;
  const [first = '', ...lines] = text.trimEnd().split('\n');
  const head = headShape.parse(JSON.parse(first));
  if (lines.length !== head.facts) throw new Error('it was cut short');
  const facts = lines.map((line) => {
    const read = lineShape.parse(JSON.parse(line));
    if ('policy' in read) {
      const { policy, ...fact } = read;
      return [policy, fact] as const;
    }
    const { account, digests, ...fact } = read;
    return [account, { ...fact, digests: new Map(Object.entries(digests)) }] as const;
  });
  return { at: head.at, facts };
}

/** Whole or not at all. */
export async function writeRevoked(
  { at, facts }: Remembered,
  folder: string,
  store: keyof typeof REVOKED_FILES,
): Promise<void> {
  const unfinished = join(folder, `.revoked-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(unfinished, 'wx', 0o600);
    try {
      await file.appendFile(`${JSON.stringify({ ...FORMAT, at, facts: facts.length })}\n`);
      for (let begin = 0; begin < facts.length; begin += SLICE) {
        await file.appendFile(
          facts
            .slice(begin, begin + SLICE)
            .map(lineOf)
            .join(''),
        );
        await turn();
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, join(folder, REVOKED_FILES[store]));
  } finally {
    await rm(unfinished, { force: true });
  }
}

function lineOf([label, fact]: Remembered['facts'][number]): string {
  const line =
    'seen' in fact
      ? { policy: label, ...fact }
      : { account: label, ...fact, digests: Object.fromEntries(fact.digests) };
  return `${JSON.stringify(line)}\n`;
}

/** A link is not followed, and what others could have written is not believed. */
function textOf(path: string): string | null {
  const file = openOwnFile(path, (why, cause) => new Error(`it ${why}`, { cause }));
  if (file === null) return null;
  try {
    const found = fstatSync(file);
    if (!found.isFile() || (found.mode & 0o022) !== 0)
      throw new Error('it is no file that only its owner can write');
    if (found.size > MAX_BYTES) throw new Error('it is larger than it can be');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
