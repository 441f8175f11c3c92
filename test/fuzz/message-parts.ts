import type { Random } from './random.ts';

/**
 * What requests and responses have in common: line ends, fields and bodies, usual ones and such as
 * servers have disagreed about.
 */

const LINE_ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  ' \r\n',
  '\t\r\n',
  '\r\n ',
  '\r\n\t',
  '\n\r',
  '',
  '\0\r\n',
  '\r\n\r\n',
  '\v\r\n',
];

const NAMES = [
  'Accept',
  'X-Y',
  'Cookie',
  'Cache-Control',
  'a',
  'Via',
  'TE',
  'Upgrade',
  'Trailer',
  'Content-Type',
  'Keep-Alive',
];
const STRANGE_NAMES = [
  ...[
    '__proto__',
    'constructor',
    'X_Y',
    'Content_Length',
    'Content-Length ',
    ' Content-Length',
    'Transfer-Encoding\t',
    '',
  ],
  ...[
    'X\0Y',
    'caf\u00e9',
    'a b',
    '(x)',
    'Transfer-Encodin\u0067\0',
    'Host\u00a0',
    '"q"',
    'content-Length\r',
    'x:y',
    '\u00ffHost',
  ],
];
const VALUES = [
  'a',
  '',
  ' a b ',
  '\ta\t',
  'a,b;c="d"',
  '{{}}',
  'W/"x", "y"',
  'x'.repeat(300),
  'caf\u00c3\u00a9',
];
const STRANGE_VALUES = [
  '\0',
  'a\0b',
  'a\rb',
  'a\nb',
  '\u00a0chunked',
  '\u007f',
  '\u0080',
  'a\r\n b',
  '\u000b',
  '\u001b[m',
  '\r\n\r\n',
  '\u0085',
];

const LENGTHS = ['0', '5', '5', '05', '10', '3'];
const STRANGE_LENGTHS = [
  ...[
    '+5',
    '-5',
    '5,5',
    '5, 5',
    '5,6',
    '0x5',
    '5 5',
    '5\u00a0',
    '\u00b5',
    '',
    '5;',
    '1e1',
    '5.0',
    '\t5',
    '5\t',
    '5\v',
    '"5"',
  ],
  ...[
    '18446744073709551621',
    '99999999999999999999',
    '9007199254740993',
    '4294967301',
    '\u0665',
    '-0',
    '00000000000000000005',
  ],
];
const CODINGS = ['chunked', 'chunked', 'chunked', 'Chunked', ' chunked', 'CHUNKED '];
const STRANGE_CODINGS = [
  ...[
    'chunked\t',
    '\tchunked',
    '\vchunked',
    'chunked, chunked',
    'gzip, chunked',
    'chunked, gzip',
    'identity',
    'chunked, identity',
  ],
  ...[
    '',
    ',chunked',
    'chunked,',
    'xchunked',
    'chunked;q=1',
    'chunke',
    '"chunked"',
    'chunked\0',
    '\u00a0chunked',
    'cHUNKED\r',
    'gzip',
  ],
];

export const CONNECTIONS = ['keep-alive', 'close', 'Close', 'keep-alive, X-A', 'X-A', 'TE'];
export const STRANGE_CONNECTIONS = [
  ...[
    'upgrade',
    'Upgrade, close',
    'content-length',
    'transfer-encoding, close',
    'close close',
    'clos',
    'close,',
    ',',
    'close;x',
    '"close"',
  ],
];

/** How one message says where it ends, and the body that belongs to that, or does not. */
export interface Framed {
  readonly fields: readonly string[];
  readonly body: string;
}

export function plainField(random: Random, odd: number): string {
  return `${random.mostly(NAMES, STRANGE_NAMES, odd)}:${random.mostly(VALUES, STRANGE_VALUES, odd)}`;
}

export function lineEnd(random: Random, odd: number): string {
  return random.chance(odd) ? random.pick(LINE_ENDS) : '\r\n';
}

function lengthField(random: Random, odd: number, length?: string): string {
  const name = random.mostly(
    ['Content-Length', 'content-length'],
    ['Content-Length ', 'Content-Length\0', 'Content_Length'],
    odd / 3,
  );
  return `${name}: ${random.chance(odd) ? random.pick(STRANGE_LENGTHS) : (length ?? random.pick(LENGTHS))}`;
}

function codingField(random: Random, odd: number): string {
  const name = random.mostly(
    ['Transfer-Encoding', 'transfer-encoding'],
    ['Transfer-Encoding ', 'Transfer_Encoding', 'Transfer-Encodin'],
    odd / 3,
  );
  return `${name}: ${random.mostly(CODINGS, STRANGE_CODINGS, odd)}`;
}

/** Framing of every kind, and sometimes of two. */
export function framed(random: Random, odd: number): Framed {
  const fields: string[] = [];
  const kind = random.below(4);
  let body = '';
  if (kind === 1) {
    body = content(random);
    fields.push(lengthField(random, odd, String(body.length)));
  } else if (kind === 2) {
    fields.push(codingField(random, odd));
    body = chunkedBody(random, odd);
  } else if (kind === 3) {
    fields.push(lengthField(random, odd, '0'));
  }
  while (random.chance(odd))
    fields.push(random.chance(0.5) ? lengthField(random, odd) : codingField(random, odd));
  if (random.chance(odd)) body = random.chance(0.5) ? content(random) : chunkedBody(random, odd);
  return { fields, body };
}

const CONTENTS = [
  'hello',
  'hi',
  'x',
  '0\r\n\r\n',
  '0123456789abcdef',
  '\r\n',
  'GET /in HTTP/1.1\r\nHost: in\r\n\r\n',
  '\0\u00ff',
  'x'.repeat(40),
];

function content(random: Random): string {
  return random.pick(CONTENTS);
}

const EXTENSIONS = ['', '', '', '', ';a=b', ';a', ';a="b c"', ';a=b;c="d;e"', ';a;b;c'];
const STRANGE_EXTENSIONS = [
  ...[
    ' ',
    '\t',
    ';',
    ' ;a',
    '; a=b',
    ';a = b',
    ';a="b',
    ';a=b\nX',
    ';a=\r',
    ';=b',
    ';a=',
    ';"a"',
    ';a="\\"',
    ';a=\0',
    ';a="\r\n"',
    ';\u00e9',
  ],
  ...[',', ' 5', '\v', ';a="b"c', ';a="\u00e9"', ';a b', ';;', ';a\n'],
];
const TRAILERS = ['X: y', 'Expires:', 'A:  b '];
const STRANGE_TRAILERS = [
  ...[
    'X',
    ': y',
    ' X: y',
    'X : y',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'X: \0',
    'X:\ry',
    'X: y\nz: w',
    'X_Y: z',
    'X:\n y',
  ],
];

function chunkedBody(random: Random, odd: number): string {
  let text = '';
  for (let chunks = random.below(4); chunks > 0; chunks -= 1) {
    const piece = content(random);
    text +=
      chunkSize(piece.length, random, odd) + extension(random, odd) + lineEnd(random, odd / 2);
    text += piece + lineEnd(random, odd / 2);
  }
  text +=
    random.mostly(['0', '0', '00', '000'], ['', '0x0', '-0', '0 ', ' 0', '+0', 'g'], odd / 2) +
    extension(random, odd / 2);
  text += lineEnd(random, odd / 2);
  while (random.chance(0.15))
    text += random.mostly(TRAILERS, STRANGE_TRAILERS, odd) + lineEnd(random, odd / 2);
  return text + lineEnd(random, odd / 2);
}

function chunkSize(length: number, random: Random, odd: number): string {
  const digits = length.toString(16);
  if (!random.chance(odd))
    return random.pick([digits, digits, digits.toUpperCase(), `0${digits}`, `000${digits}`]);
  return random.pick([
    ...[
      `0x${digits}`,
      `+${digits}`,
      `-${digits}`,
      ` ${digits}`,
      `${digits} `,
      `${digits}\t`,
      `${digits}h`,
      '',
      `${digits}_0`,
      `${digits}.0`,
    ],
    ...[
      (length + 1).toString(16),
      Math.max(0, length - 1).toString(16),
      `1${'0'.repeat(16)}${digits}`,
      `${'0'.repeat(20)}${digits}`,
      'ffffffffffffffff',
    ],
  ]);
}

function extension(random: Random, odd: number): string {
  return random.mostly(EXTENSIONS, STRANGE_EXTENSIONS, odd);
}

/**
 * How often something strange is put into one case: often never, so that whole conversations are
 * read, too.
 */
export function oddness(random: Random): number {
  return random.pick([0, 0, 0.02, 0.05, 0.15, 0.4]);
}
