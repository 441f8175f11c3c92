import * as z from 'zod';
import type { StoredSession } from './sessions.ts';

const shape = z.object({
  account: z.string().regex(/^[0-9A-Za-z]{12}$/),
  signOuts: z.int().min(0),
  startedMs: z.int(),
  seenMs: z.int(),
  address: z.string().max(64),
});

export function encodeSession(session: StoredSession): string {
  return JSON.stringify(session);
}

/** Null for what cannot be read: then nobody is signed in by it. */
export function decodeSession(text: string): StoredSession | null {
  try {
    return shape.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
