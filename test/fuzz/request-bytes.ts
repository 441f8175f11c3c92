import {
  CONNECTIONS,
  framed,
  lineEnd,
  oddness,
  plainField,
  STRANGE_CONNECTIONS,
} from './message-parts.ts';
import { mutated } from './pieces.ts';
import type { Random } from './random.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD'];
const STRANGE_METHODS = [
  'get',
  'REPORT',
  'M-SEARCH',
  'PRI',
  'GET ',
  '',
  'G\u00c9T',
  'SOURCE',
  'CONNECT',
  'TRACE',
  'QUERY',
  'GE\0T',
  ' GET',
  'X',
];
const TARGETS = [
  '/',
  '/a/b?c=d',
  '/a%20b',
  '/?',
  '/a?x|y^z`{}"<>\\[]\'',
  '/~a!$&()*+,;=:@',
  '/M%C3%BCller',
  `/${'long/'.repeat(40)}`,
  '/a;b',
];
const STRANGE_TARGETS = [
  ...[
    '*',
    'http://h/',
    '//a',
    '/a#b',
    '/a\tb',
    '/\u00e9',
    '/a?\u00e9',
    '/a b',
    '/a\0',
    '',
    '/a\r',
    '/../b',
    '/%2e',
    'a',
    '?x',
    '/a?b#c',
    '/\u00a0',
  ],
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'];
const STRANGE_VERSIONS = [
  'HTTP/1.2',
  'http/1.1',
  'HTTP/2.0',
  'HTTP/1.1 ',
  'HTTP/01.1',
  '',
  'HTTP/0.9',
  'HTTP/1,1',
  'HTTP /1.1',
  'HTTP/1.1\0',
  'ICE/1.0',
];
const HOSTS = ['Host: h', 'Host: h:80', 'host:localhost', 'HOST: [::1]:8080'];
const STRANGE_HOSTS = [
  'Host : h',
  'Host:',
  'X: y',
  'Host: a\r\nHost: b',
  'Host: a,b',
  ' Host: h',
  'Host: a@b',
  'Host:\ta',
  'Host: h\0',
];
const BEFORE = ['\r\n', '\n', ' ', '\r\n\r\n', '\r', '\t', '\0', '\u00ef\u00bb\u00bf'];
const FURTHER = [
  ...[
    'Expect: 100-continue',
    'Expect: 100-Continue',
    'Expect: x',
    'Authorization: Bearer a',
    'Upgrade: websocket',
    'Upgrade: h2c',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Content-Length: 5',
    'Proxy-Connection: close',
    'Sec-WebSocket-Key: x',
  ],
];

/** One to four requests on one connection. */
export function requestBytes(random: Random): Buffer {
  const odd = oddness(random);
  let text = '';
  for (let left = 1 + random.below(random.chance(0.4) ? 4 : 1); left > 0; left -= 1)
    text += requestText(random, odd);
  const bytes = Buffer.from(text, 'latin1');
  const result = random.chance(0.3) ? mutated(bytes, random) : bytes;
  return random.chance(0.08) ? result.subarray(0, random.below(result.length + 1)) : result;
}

function requestText(random: Random, odd: number): string {
  const before = random.chance(odd / 4) ? random.pick(BEFORE) : '';
  const method = random.mostly(METHODS, STRANGE_METHODS, odd / 2);
  const line = `${method} ${random.mostly(TARGETS, STRANGE_TARGETS, odd / 2)} ${random.mostly(VERSIONS, STRANGE_VERSIONS, odd / 2)}`;
  const { fields, body } = framed(random, odd);
  const lines = [random.mostly(HOSTS, STRANGE_HOSTS, odd / 2), ...fields];
  for (let more = random.below(random.chance(0.02) ? 60 : 4); more > 0; more -= 1)
    lines.push(plainField(random, odd));
  if (random.chance(0.15))
    lines.push(`Connection: ${random.mostly(CONNECTIONS, STRANGE_CONNECTIONS, odd + 0.05)}`);
  if (random.chance(odd / 2)) lines.push(random.pick(FURTHER));
  if (random.chance(0.3)) shuffle(lines, random);
  const all = [line, ...lines, ''].map((one) => one + lineEnd(random, odd / 6));
  return before + all.join('') + body;
}

function shuffle(lines: string[], random: Random): void {
  for (let index = lines.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1);
    [lines[index], lines[other]] = [lines[other]!, lines[index]!];
  }
}
