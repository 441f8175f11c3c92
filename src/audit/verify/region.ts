import { hash } from 'node:crypto';
import type { LogLine } from './line.ts';

/** A line with a number, at the place where it was stored. */
export type Numbered = LogLine & { readonly seq: number };

/** SHA-256 of lines as they are stored, each with its line feed. */
export function digestOf(lines: readonly { readonly text: string }[]): string {
  return hash('sha256', lines.map(({ text }) => `${text}\n`).join(''), 'base64url');
}

/** Numbers that have two different lines, at most, of which all combinations are tried. */
const MOST_CONFLICTS = 6;

/**
 * One line for each number, where several claim it: the combination that the following link
 * confirms, or, where none does, the first ones.
 *
 * @param claims for each number, in order, the lines that claim it
 * @param chain what the following link says of them; null = nothing does
 */
export function genuine(
  claims: readonly (readonly Numbered[])[],
  chain: string | null,
): { readonly lines: readonly Numbered[]; readonly proven: boolean } {
  const first = claims.map(([line]) => line!);
  if (chain === null) return { lines: first, proven: false };
  const disputed = claims.flatMap((lines, place) => (lines.length > 1 ? [place] : []));
  if (disputed.length > MOST_CONFLICTS) return { lines: first, proven: digestOf(first) === chain };
  for (const lines of combinations(first, claims, disputed))
    if (digestOf(lines) === chain) return { lines, proven: true };
  return { lines: first, proven: false };
}

function* combinations(
  lines: readonly Numbered[],
  claims: readonly (readonly Numbered[])[],
  [place, ...rest]: readonly number[],
): Generator<readonly Numbered[]> {
  if (place === undefined) return yield lines;
  for (const line of claims[place]!) yield* combinations(lines.with(place, line), claims, rest);
}
