/**
 * Distinguished names (RFC 4514), in one spelling: types in upper case, values letter by letter,
 * the most specific part first (`CN=ci,O=Example`). Two names are the same when their spelling is.
 */

const TYPE = /^(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)$/;
/** More than any name in use has; a longer one costs whoever reads it. */
const CHARACTERS_MAX = 1024;
const SPECIAL = ' "#+,;<=>\\';
const BARE_NEVER = '";<>';

/** A name as people and `openssl x509 -nameopt RFC2253` write it; null for what is none. */
export function readName(text: string): string | null {
  return text.length > CHARACTERS_MAX ? null : joined(splitAt(text, ','));
}

/**
 * The subject of a certificate as `X509Certificate` of Node gives it: a line for each part, the
 * least specific first; null where it is empty or cannot be written as a name.
 */
export function nameOfLines(subject: string | undefined): string | null {
  if (subject === undefined || subject.length > CHARACTERS_MAX) return null;
  return joined(subject.split('\n').reverse());
}

function joined(parts: readonly string[]): string | null {
  const read = parts.map((part) => {
    const attributes = splitAt(part, '+').map(attributeOf);
    return attributes.includes(null) ? null : attributes.sort().join('+');
  });
  return read.includes(null) ? null : read.join(',');
}

/** At each of the separators that no backslash stands before. */
function splitAt(text: string, separator: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === separator) {
      parts.push(text.slice(begin, index));
      begin = index + 1;
    }
  }
  return [...parts, text.slice(begin)];
}

function attributeOf(text: string): string | null {
  const equals = text.indexOf('=');
  const type = text.slice(0, Math.max(0, equals)).trim();
  const value = TYPE.test(type) ? plainValue(text.slice(equals + 1)) : null;
  return value === null ? null : `${type.toUpperCase()}=${escaped(value)}`;
}

/**
 * Without escapes and the spaces around it; null for what no value is written like, or is empty.
 */
function plainValue(text: string): string | null {
  const bytes = Buffer.from(text.replace(/^ +/, ''));
  if (bytes[0] === 0x23 || !text.isWellFormed()) return null;
  const out: number[] = [];
  let length = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const character = String.fromCharCode(bytes[index]!);
    if (character !== '\\') {
      if (BARE_NEVER.includes(character)) return null;
      out.push(bytes[index]!);
      if (character !== ' ') length = out.length;
      continue;
    }
    const pair = bytes.toString('latin1', index + 1, index + 3);
    const isHex = /^[0-9A-Fa-f]{2}$/.test(pair);
    if (!isHex && (pair === '' || !SPECIAL.includes(pair[0]!))) return null;
    out.push(isHex ? Number.parseInt(pair, 16) : pair.charCodeAt(0));
    length = out.length;
    index += isHex ? 2 : 1;
  }
  try {
    return utf8.decode(Uint8Array.from(out.slice(0, length))) || null;
  } catch {
    return null;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function escaped(value: string): string {
  return value
    .replace(/[\\",+;<>]/g, '\\$&')
    .replace(/\p{Cc}/gu, (control) =>
      [...Buffer.from(control)]
        .map((byte) => `\\${byte.toString(16).padStart(2, '0').toUpperCase()}`)
        .join(''),
    )
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ');
}
