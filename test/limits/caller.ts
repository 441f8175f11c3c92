import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { newToken } from '../../src/account/token.ts';
import { type Message, readResponse } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';

/** Where calls come from and go to. The loopback has sixteen million addresses on Linux. */
export interface Place {
  readonly port: number;
  readonly from: string;
}

const LIMIT_MS = 50_000;

/**
 * Sends one request for each token on one connection, all at once, and answers with the responses
 * in order.
 */
export async function call(
  place: Place,
  tokens: readonly string[],
  path = '/x',
): Promise<readonly Message[]> {
  const client = await connectRaw({ port: place.port, localAddress: place.from });
  try {
    await client.send(
      tokens
        .map(
          (token) => `GET ${path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        )
        .join(''),
    );
    const answers: Message[] = [];
    let offset = 0;
    await client.waitFor(
      `${tokens.length} answers`,
      (bytes) => {
        while (answers.length < tokens.length) {
          const reading = readResponse(bytes, { offset });
          if (reading.state === 'fault') throw new Error(reading.why);
          if (reading.state === 'incomplete') return false;
          answers.push(reading.message);
          offset = reading.message.end;
        }
        return true;
      },
      LIMIT_MS,
    );
    return answers;
  } finally {
    client.close();
  }
}

export function statusOf(message: Message): number {
  return Number(message.line.split(' ')[1]);
}

export function fieldOf(message: Message, name: string): string | null {
  return message.fields.find(([field]) => field.toLowerCase() === name)?.[1] ?? null;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Well-formed tokens with a right checksum, of accounts that do not exist. */
export function guesses(count: number): readonly string[] {
  return Array.from({ length: count }, () =>
    newToken([...randomBytes(12)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')),
  );
}

export function tally(answers: readonly Message[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[statusOf(answer)] = (counts[statusOf(answer)] ?? 0) + 1;
  return counts;
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + LIMIT_MS; performance.now() < endMs; ) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
}
