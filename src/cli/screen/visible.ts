/**
 * Control characters and those that reorder text, made visible: what others wrote must not drive
 * somebody's terminal.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
