import { Deadlines } from '../../src/deadlines.ts';
import type { ResponseHead } from '../../src/http/response-head.ts';
import type { UpstreamConnection } from '../../src/upstream/connection.ts';
import type { ResponseReceiver } from '../../src/upstream/port.ts';
import { outgoing } from '../support/outgoing.ts';
import { Llhttp } from './llhttp.ts';
import { cutAt, randomCuts } from './pieces.ts';
import type { Random } from './random.ts';
import { type Finding, fieldsProblem } from './requests.ts';
import { type Conversation, responseBytes } from './response-bytes.ts';
import { SilentSocket } from './silent-socket.ts';
import type { Wire } from './wire.ts';

/** Nobody is told that time is over. */
const NO_DEADLINES = new Deadlines();
NO_DEADLINES.close();
const TIMEOUTS = { connectTimeoutMs: 1, responseTimeoutMs: 1, streamIdleTimeoutMs: 1 };

/** What one exchange heard, and the bytes that it was heard from. */
class Exchange implements ResponseReceiver {
  readonly toHead: boolean;
  readonly pieces: Buffer[] = [];
  readonly interim: ResponseHead[] = [];
  head: ResponseHead | null = null;
  body = '';
  outcome: 'open' | 'whole' | 'failed' = 'open';
  /** The connection was kept for another exchange after it. */
  kept = false;
  /** The upstream's end of the connection completed it. */
  ended = false;
  fault: unknown = null;

  constructor(toHead: boolean) {
    this.toHead = toHead;
  }

  onConnected(): void {}
  onDrain(): void {}
  flush(): boolean {
    return true;
  }
  onInterim(head: ResponseHead): void {
    this.interim.push(head);
  }
  onHead(head: ResponseHead): void {
    this.head = head;
  }
  onBody(content: Buffer): void {
    this.body += content.toString('latin1');
  }
  onEnd(): void {
    this.outcome = 'whole';
  }
  onFailure(): void {
    this.outcome = 'failed';
  }
  onFault(error: unknown): void {
    this.fault = error;
  }
}

/** How the upstream behaves besides its bytes. */
interface Manner {
  /** Of which exchange the request is still under way when its answer ends; -1 = of none. */
  readonly early: number;
  /** How the connection ends after the last byte. */
  readonly ending: 'none' | 'end' | 'error';
}

/**
 * Drives a real upstream connection: each exchange begins when the one before has given the
 * connection back, and only then.
 */
function readOurs(
  wire: Wire,
  conversation: Conversation,
  pieces: readonly Buffer[],
  manner: Manner,
): Exchange[] {
  const socket = new SilentSocket();
  const exchanges: Exchange[] = [];
  let free = false;
  const keeper = {
    free: () => {
      free = true;
      exchanges.at(-1)!.kept = true;
    },
    gone: () => {
      free = false;
    },
    answered: () => {},
    failed: () => {},
  };
  const connection: UpstreamConnection = new wire.UpstreamConnection(
    socket.asSocket,
    'connect',
    keeper,
    NO_DEADLINES,
    TIMEOUTS,
  );
  const begin = () => {
    const exchange = new Exchange(conversation.toHead[exchanges.length]!);
    exchanges.push(exchange);
    free = false;
    connection.begin(exchange, outgoing(exchange.toHead ? 'HEAD' : 'GET'));
    if (manner.early !== exchanges.length - 1) connection.sendEnd();
  };
  socket.say('connect');
  begin();
  for (const piece of pieces) {
    if (socket.destroyed) break;
    if (free && exchanges.length < conversation.toHead.length) begin();
    const exchange = exchanges.at(-1)!;
    if (!free) exchange.pieces.push(piece);
    socket.say('data', piece);
  }
  const last = exchanges.at(-1)!;
  const open = last.outcome === 'open';
  if (manner.ending === 'end') socket.say('end');
  if (manner.ending === 'error')
    socket.say('error', Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  last.ended = open && last.outcome === 'whole';
  return exchanges;
}

export function responseComparer(wire: Wire): (random: Random) => Finding {
  const llhttp = Llhttp.responses();
  return (random) => {
    const conversation = responseBytes(random);
    const { bytes, ends, toHead } = conversation;
    const atEnds = random.chance(0.8) ? ends : [];
    const early = random.chance(0.1) ? random.below(toHead.length) : -1;
    const manner: Manner = { early, ending: random.pick(['none', 'end', 'end', 'error']) };
    const cuts = [
      ...atEnds,
      ...(random.chance(0.05) ? bytes.keys() : randomCuts(bytes.length, random)),
    ];
    const exchanges = readOurs(wire, conversation, cutAt(bytes, cuts), manner);
    const accepted = exchanges
      .filter(({ outcome }) => outcome === 'whole')
      .map((exchange) => kindOf(exchange));
    for (const [index, exchange] of exchanges.entries()) {
      const problem = exchangeProblem(exchange, index === manner.early, llhttp);
      if (problem !== null)
        return {
          accepted,
          bytes,
          problem: `answer ${index + 1}${exchange.toHead ? ' (to HEAD)' : ''}: ${problem}`,
        };
    }
    return { accepted, bytes, problem: null };
  };
}

function kindOf({ head, kept }: Exchange): string {
  return `${head!.framing.kind}${kept ? ', kept' : ''}`;
}

function exchangeProblem(exchange: Exchange, early: boolean, llhttp: Llhttp): string | null {
  if (exchange.fault !== null) return `a step threw: ${exchange.fault}`;
  if (exchange.kept && exchange.outcome !== 'whole')
    return 'the connection was kept before the answer was whole';
  if (exchange.kept && early) return 'the connection was kept though its request was not complete';
  if (exchange.kept && exchange.ended) return 'the connection was kept though it has ended';
  readTheirs(exchange, llhttp);
  return exchange.kept
    ? (boundaryProblem(exchange, llhttp) ?? messagesProblem(exchange, llhttp))
    : messagesProblem(exchange, llhttp);
}

/**
 * The same bytes to llhttp. Of an exchange after which the connection was kept the last byte comes
 * alone: it must be the end for both.
 */
function readTheirs(exchange: Exchange, llhttp: Llhttp): void {
  llhttp.begin(exchange.toHead);
  const chunked = exchange.head?.framing.kind === 'chunked';
  const bytes = withoutBlanks(Buffer.concat(exchange.pieces), chunked);
  llhttp.read(exchange.kept ? bytes.subarray(0, -1) : bytes);
}

/**
 * White space between a name and its colon is taken out of a response (RFC 9112 §5.1), as we do;
 * llhttp refuses it: in the heads of the interim responses and of the one behind them, and in the
 * lines of chunk sizes, whose extensions are ignored. Tabs around a Transfer-Encoding are blanks as
 * well (§5), which llhttp takes for a part of it.
 */
function withoutBlanks(bytes: Buffer, chunked: boolean): Buffer {
  const text = bytes.toString('latin1');
  let plain = '';
  let from = 0;
  for (let more = true; more; ) {
    const end = text.indexOf('\r\n\r\n', from);
    if (end === -1) break;
    const head = text.slice(from, end + 4);
    plain += head
      .replace(/(\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]+:/g, '$1:')
      .replace(/(\r\nTransfer-Encoding:)[ \t]*([^\r]*?)[ \t]*(?=\r\n)/gi, '$1 $2');
    from = end + 4;
    more = /^HTTP\/1\.[01] 1/.test(head);
  }
  const body = text.slice(from);
  return Buffer.from(plain + (chunked ? withoutBlanksInSizes(body) : body), 'latin1');
}

/** As far as the lines of sizes can be read; what follows stays as it is. */
function withoutBlanksInSizes(body: string): string {
  let plain = '';
  let from = 0;
  for (;;) {
    const end = body.indexOf('\r\n', from);
    const line = end === -1 ? '' : body.slice(from, end);
    if (!/^[0-9A-Fa-f]+[ \t]*(?:;[^\r]*)?$/.test(line)) return plain + body.slice(from);
    const size = Number.parseInt(line, 16);
    const next = size === 0 ? body.length : end + 2 + size + 2;
    plain += line.replace(/[ \t]/g, '') + body.slice(end, next);
    if (next >= body.length) return plain;
    from = next;
  }
}

function boundaryProblem(exchange: Exchange, llhttp: Llhttp): string | null {
  const expected = exchange.interim.length + 1;
  if (llhttp.completed >= expected) return 'bytes after the answer, and the connection was kept';
  llhttp.read(exchange.pieces.at(-1)!.subarray(-1));
  if (llhttp.fault !== null)
    return `the connection was kept after an answer that llhttp refuses (${llhttp.fault})`;
  if (llhttp.completed !== expected)
    return 'the connection was kept, and the answer is not whole for llhttp';
  // Before it is told that HEAD has no body, llhttp reckons with one that only the connection's end
  // delimits.
  const endless =
    exchange.toHead &&
    !exchange.head!.names.some(
      ({ lower }) => lower === 'content-length' || lower === 'transfer-encoding',
    );
  return llhttp.messages.at(-1)!.keepAlive || endless
    ? null
    : 'the connection was kept, and for llhttp it closes';
}

/**
 * `Connection: close` in an interim response is the end for llhttp. For us the final one still
 * comes (RFC 9110 §15.2), and is the last of its connection.
 */
function isClosedBefore({ interim, kept }: Exchange, index: number, llhttp: Llhttp): boolean {
  const closes = interim.slice(0, index).some(({ keepAlive }) => !keepAlive);
  return closes && !kept && llhttp.fault === 'HPE_CLOSED_CONNECTION';
}

function messagesProblem(exchange: Exchange, llhttp: Llhttp): string | null {
  const { interim, head, body, outcome } = exchange;
  for (const [index, ours] of [...interim, ...(head === null ? [] : [head])].entries()) {
    const theirs = llhttp.messages[index];
    if (theirs === undefined && isClosedBefore(exchange, index, llhttp)) return null;
    if (theirs === undefined) return `llhttp (${llhttp.fault}) sees no head ${index + 1}`;
    if (ours.status !== theirs.status) return `status ${ours.status}, ${theirs.status} for llhttp`;
    const fields = fieldsProblem(ours, theirs);
    if (fields !== null) return fields;
  }
  const theirs = llhttp.messages[interim.length];
  if (head === null || theirs === undefined) return null;
  if (outcome === 'failed') return theirs.body.startsWith(body) ? null : 'another body for llhttp';
  // These have no body, whatever they say (RFC 9112 §6.3): what llhttp then reads as one is for us
  // a breach, after which the connection is closed.
  const bodiless = exchange.toHead || head.status === 204 || head.status === 304;
  if (body !== theirs.body && !(bodiless && body === '' && !exchange.kept))
    return 'another body for llhttp';
  if (exchange.ended) {
    llhttp.finish();
    if (llhttp.fault !== null) return `the end is no end for llhttp (${llhttp.fault})`;
  }
  return outcome === 'open' && llhttp.fault !== null
    ? `llhttp refuses (${llhttp.fault}) the body that we still read`
    : null;
}
