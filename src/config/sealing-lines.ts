/** The secrets of a sealing key: its lines, without empty ones and without blanks around. */
export function linesOf(secret: string): readonly string[] {
  return secret
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
