/** `1 call`, `12,345 calls`. */
export function plural(count: number, word: string): string {
  return `${countWords(count)} ${word}${count === 1 ? '' : 's'}`;
}

/**
 * `12,345`, of whole numbers. `toLocaleString` holds the gate up for 60 ms when it is first asked.
 */
export function countWords(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
