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

const STATUSES = [
  '200 OK',
  '200 OK',
  '404 Not Found',
  '200 ',
  '200',
  '500 \u00e9',
  '301 Moved',
  '204 No Content',
  '304 Not Modified',
  '205 R',
];
const STRANGE_STATUSES = [
  '100 Continue',
  '101 Switching',
  '099 x',
  '0200 OK',
  '20 OK',
  '2000 OK',
  '2OO OK',
  '+20 OK',
  '999 x',
  '600 x',
  ' 200 OK',
  '200\tOK',
  '200  OK',
  '200 O\0K',
];
const INTERIM = ['100 Continue', '103 Early Hints', '102 Processing', '199 x'];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'];
const STRANGE_VERSIONS = [
  'HTTP/1.2',
  'http/1.1',
  'HTTP/2.0',
  'HTTP/1.1\t',
  '',
  'HTTP/0.9',
  'HTTP/11',
  'ICY',
  'HTTP/1.1 ',
];
/** What an upstream may send after its answer without having been asked. */
const UNASKED = [
  'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad',
  '\r\n',
  'x',
  '\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
];

/** What an upstream sends on one connection, and what it was asked. */
export interface Conversation {
  readonly bytes: Buffer;
  /** Where an answer ends, as it was meant. */
  readonly ends: readonly number[];
  /** Of the request that each answer belongs to. */
  readonly toHead: readonly boolean[];
}

/** Answers to one to four requests. */
export function responseBytes(random: Random): Conversation {
  const odd = oddness(random);
  const toHead: boolean[] = [];
  const ends: number[] = [];
  let text = '';
  for (let left = 1 + random.below(random.chance(0.5) ? 4 : 1); left > 0; left -= 1) {
    const head = random.chance(0.15);
    toHead.push(head);
    text += responseText(random, odd, head);
    ends.push(text.length);
    if (random.chance(odd / 4)) text += random.pick(UNASKED);
  }
  const bytes = Buffer.from(text, 'latin1');
  return { bytes: random.chance(0.3) ? mutated(bytes, random) : bytes, ends, toHead };
}

function responseText(random: Random, odd: number, toHead: boolean): string {
  let text = random.chance(odd / 6) ? random.pick(['\r\n', '\n', ' ']) : '';
  while (random.chance(0.1))
    text += headText(
      random,
      odd,
      random.pick(INTERIM),
      random.chance(0.2) ? [plainField(random, odd)] : [],
    );
  const status = random.mostly(STATUSES, STRANGE_STATUSES, odd / 2);
  const { fields, body } = framed(random, odd);
  const lines = [...fields];
  for (let more = random.below(random.chance(0.02) ? 60 : 4); more > 0; more -= 1)
    lines.push(plainField(random, odd));
  if (random.chance(0.15))
    lines.push(`Connection: ${random.mostly(CONNECTIONS, STRANGE_CONNECTIONS, odd + 0.05)}`);
  const bodiless = toHead || status.startsWith('204') || status.startsWith('304');
  return (
    text + headText(random, odd, status, lines) + (bodiless && !random.chance(odd) ? '' : body)
  );
}

function headText(random: Random, odd: number, status: string, lines: readonly string[]): string {
  const version = random.mostly(VERSIONS, STRANGE_VERSIONS, odd / 2);
  return [`${version} ${status}`, ...lines, '']
    .map((one) => one + lineEnd(random, odd / 6))
    .join('');
}
