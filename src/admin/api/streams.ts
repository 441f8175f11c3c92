import { markOf, readableEvent } from '../../audit/event/read.ts';
import type { Followed } from '../activity.ts';
import { AdminError } from '../error.ts';

const STREAM_LIMITS = {
  inAll: 64,
  perAccount: 8,
  /** A comment is sent when nothing else was for so long, so that whoever is gone is noticed. */
  heartbeatMs: 15_000,
  /** How often it is asked whether the token still counts: expiry is a matter of time alone. */
  sweepMs: 1_000,
  /** Bytes that may wait for a slow reader. */
  bufferedBytes: 256 * 1024,
} as const;

/** One stream that is open, and the question whether it may be still. */
export interface OpenStream {
  readonly accountId: string;
  stands(): boolean;
  /** Nothing more is sent. */
  end(): void;
}

/** Streams of events under way: none outlives the token that opened it. */
export class OpenStreams {
  readonly #open = new Set<OpenStream>();
  #sweeper: NodeJS.Timeout | null = null;

  /** False: there are too many. */
  add(stream: OpenStream): boolean {
    const same = [...this.#open].filter(({ accountId }) => accountId === stream.accountId).length;
    if (this.#open.size >= STREAM_LIMITS.inAll || same >= STREAM_LIMITS.perAccount) return false;
    this.#open.add(stream);
    this.#sweeper ??= setInterval(() => this.judge(), STREAM_LIMITS.sweepMs);
    return true;
  }

  remove(stream: OpenStream): void {
    this.#open.delete(stream);
    if (this.#open.size === 0) this.#stopSweeping();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * The registry has changed, or time has passed: who may no longer is cut off before this returns.
   * Whoever still may opens another.
   */
  judge(): void {
    for (const stream of this.#open) if (!stream.stands()) this.#end(stream);
  }

  close(): void {
    for (const stream of this.#open) this.#end(stream);
    this.#stopSweeping();
  }

  #end(stream: OpenStream): void {
    this.#open.delete(stream);
    stream.end();
  }

  #stopSweeping(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}

const HEARTBEAT = Symbol('heartbeat');

/**
 * Server-sent events of a followed log. The reader sets the pace: what it does not take is not read
 * from the log. Each event has an id (`markOf`) by which a client goes on after a break; around a
 * break an event may come twice, never not at all. `skipped`: more happened than can be shown.
 *
 * @param stop ends the stream from our side; aborted here when the client is gone
 */
export function eventStream(
  source: AsyncGenerator<Followed>,
  matches: (event: string) => boolean,
  stop: AbortController,
  onFault: (fault: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let pending: Promise<IteratorResult<Followed>> | null = null;
  const next = async (): Promise<IteratorResult<Followed> | typeof HEARTBEAT> => {
    pending ??= source.next();
    const beat = Promise.withResolvers<typeof HEARTBEAT>();
    const timer = setTimeout(() => beat.resolve(HEARTBEAT), STREAM_LIMITS.heartbeatMs);
    try {
      const result = await Promise.race([pending, beat.promise]);
      if (result !== HEARTBEAT) pending = null;
      return result;
    } finally {
      clearTimeout(timer);
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(encoder.encode('retry: 2000\n\n')),
      pull: async (controller) => {
        for (;;) {
          const item = await next().catch((error: unknown) => {
            if (!(error instanceof AdminError)) onFault(error);
            return lastWord(error);
          });
          if (stop.signal.aborted || (item !== HEARTBEAT && item.done === true)) {
            if (!stop.signal.aborted && item !== HEARTBEAT && typeof item.value === 'string')
              controller.enqueue(encoder.encode(item.value));
            stop.abort();
            controller.close();
            return;
          }
          const text =
            item === HEARTBEAT ? ': nothing happened\n\n' : textOf(item.value as Followed, matches);
          if (text === '') continue;
          controller.enqueue(encoder.encode(text));
          return;
        }
      },
      cancel: () => stop.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: STREAM_LIMITS.bufferedBytes }),
  );
}

function textOf(item: Followed, matches: (event: string) => boolean): string {
  if ('skipped' in item) return 'event: skipped\ndata: {}\n\n';
  if (!matches(item.event)) return '';
  return `id: ${markOf(item.event).replace(/[\r\n\0]/g, '')}\nevent: activity\ndata: ${readableEvent(item.event)}\n\n`;
}

/** The log cannot be read any more: said once, then the stream ends and the client comes again. */
function lastWord(error: unknown): IteratorReturnResult<string> {
  const reason = error instanceof AdminError ? error.code : 'internal-fault';
  return { done: true, value: `event: interrupted\ndata: ${JSON.stringify({ reason })}\n\n` };
}
