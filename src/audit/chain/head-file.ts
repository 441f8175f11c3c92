import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEvent } from '../event/read.ts';
import type { ChainPlace } from './signed.ts';

export const HEAD_FILE = 'audit-head.json';

/**
 * The newest signed head that was written in this folder, by whichever instance: the next one
 * begins by naming it. Null: there is none that can be read.
 */
export function headIn(folder: string): ChainPlace | null {
  try {
    return placeIn(readFileSync(join(folder, HEAD_FILE), 'utf8').trim());
  } catch {
    return null;
  }
}

/** Null: the line is no signed head. */
export function placeIn(line: string): ChainPlace | null {
  const event = readEvent(line);
  if (event.type !== 'chain-head' && event.type !== 'instance-ended') return null;
  const { instance, seq, chain, time } = event;
  return { instance, seq, chain, time };
}

/** Takes the place of the one before, whole. */
export async function keepHeadIn(folder: string, line: string): Promise<void> {
  const path = join(folder, HEAD_FILE);
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(unfinished, `${line}\n`, { flag: 'wx', mode: 0o600, flush: true });
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
