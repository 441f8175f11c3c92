const TAB = 9;
const SPACE = 32;

/**
 * The text without optional white space at both ends (RFC 9110 §5.6.3): SP and TAB. `String.trim`
 * would also take the no-break space, which is byte A0 of a value, and so make one value out of
 * two.
 */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
