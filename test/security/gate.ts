import {
  type GatewayOptions,
  type RouteText,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { type Message, readResponse, statusOf } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import {
  type RawUpstream,
  type RawUpstreamOptions,
  startRawUpstream,
} from '../support/raw-upstream.ts';

/** What came of one request on a connection of its own. */
export interface Outcome {
  /** The final answer; null when none came. */
  readonly status: number | null;
  readonly answer: Message | null;
  /** `reason` of a refusal. */
  readonly reason: string | null;
  readonly text: string;
  /** What reached the upstream meanwhile. */
  readonly forwarded: readonly Message[];
}

/**
 * A real gate in front of an upstream that records bytes, for questions that are asked one after
 * another.
 */
export interface GuardedUpstream {
  readonly gate: TestGateway;
  readonly upstream: RawUpstream;
  readonly port: number;
  /** `Authorization` line of the account that may do everything. */
  readonly authorization: string;
  /** Sends the bytes and waits for one final answer, or for the end of the connection. */
  ask(
    request: string | readonly (string | Buffer)[],
    connection?: { readonly plaintext?: boolean },
  ): Promise<Outcome>;
  stop(): Promise<void>;
}

export interface GuardedOptions {
  readonly plaintext?: boolean;
  readonly upstream?: RawUpstreamOptions;
  readonly routes?: readonly RouteText[];
  readonly limits?: GatewayOptions['limits'];
  readonly http2?: GatewayOptions['http2'];
}

const ANSWER_MS = 30_000;

export async function startGuarded(options: GuardedOptions = {}): Promise<GuardedUpstream> {
  const upstream = await startRawUpstream(options.upstream ?? {});
  const gate = await startGateway({
    upstreams: { recorder: { addresses: [upstream.url] } },
    plaintext: options.plaintext ?? false,
    ...(options.routes === undefined ? {} : { routes: options.routes }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.http2 === undefined ? {} : { http2: options.http2 }),
  });
  return {
    gate,
    upstream,
    port: gate.port,
    authorization: `Authorization: Bearer ${gate.token}`,
    ask: async (request, connection) => {
      upstream.clear();
      const secure = !(connection?.plaintext ?? options.plaintext ?? false);
      const client = await connectRaw({
        port: gate.port,
        ...(secure ? { tls: { rejectUnauthorized: false } } : {}),
      });
      const pieces = typeof request === 'string' ? [Buffer.from(request, 'latin1')] : request;
      try {
        await client.send(...pieces);
        const method = String(pieces[0]).split(' ')[0]!;
        const bytes = await client.waitFor(
          'an answer',
          (all) => client.closed !== 'open' || finalAnswer(all, method) !== null,
          ANSWER_MS,
        );
        return outcomeOf(bytes, method, upstream.requests);
      } finally {
        client.close();
      }
    },
    stop: async () => {
      await gate.stop();
      await upstream.stop();
    },
  };
}

/** A request's head, with the line breaks that HTTP wants, and its body. */
export function request(line: string, fields: readonly string[] = [], body = ''): string {
  return `${[line, 'Host: localhost', ...fields].join('\r\n')}\r\n\r\n${body}`;
}

export function fieldsOf(message: Message, pattern: RegExp): string[] {
  return message.fields
    .filter(([name]) => pattern.test(name))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`);
}

function outcomeOf(bytes: Buffer, method: string, forwarded: readonly Message[]): Outcome {
  const answer = finalAnswer(bytes, method);
  const text = bytes.toString('latin1');
  const reason = /"reason":"([a-z-]+)"/.exec(text)?.[1] ?? null;
  return { status: answer === null ? null : statusOf(answer), answer, reason, text, forwarded };
}

/** The first answer that is not an interim one, once it is whole. */
function finalAnswer(bytes: Buffer, method: string): Message | null {
  for (let offset = 0; ; ) {
    const reading = readResponse(bytes, { offset, method });
    if (reading.state === 'fault') throw new Error(reading.why);
    if (reading.state === 'incomplete') return null;
    if (statusOf(reading.message) >= 200) return reading.message;
    offset = reading.message.end;
  }
}
