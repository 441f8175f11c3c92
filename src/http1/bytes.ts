const TAB = 9;

const TOKEN_BYTES = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") {
  TOKEN_BYTES[character.charCodeAt(0)] = 1;
}

/** RFC 9110 §5.6.2 `tchar`. */
export function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1;
}

/** What may stand in no value; a tab may. */
export function isControl(byte: number): boolean {
  return (byte < 32 && byte !== TAB) || byte === 127;
}
