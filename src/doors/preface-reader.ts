import type { Socket } from 'node:net';
import type { Deadlines } from '../deadlines.ts';
import { type ConveyedClient, readPreface } from '../http1/proxy-protocol.ts';

export interface PrefaceOptions {
  readonly deadlines: Deadlines;
  /** Monotonic milliseconds (of `Deadlines.nowMs`) until which it must be here. */
  readonly untilMs: number;
  /** What followed the preface was put back into the socket. */
  came(client: ConveyedClient | null): void;
  /** `detail`: a fixed phrase. The socket is not usable any more. */
  failed(detail: string): void;
}

/** Reads the PROXY preface that a connection must begin with. A socket that closes says nothing. */
export function awaitPreface(socket: Socket, options: PrefaceOptions): void {
  const { deadlines, untilMs, came, failed } = options;
  let pending: Buffer | null = null;
  const deadline = deadlines.watch({ expired: () => end(() => failed('not in time')) }, untilMs);
  const end = (step: () => void) => {
    deadline.end();
    socket.off('readable', onReadable);
    socket.off('close', onClose);
    step();
  };
  const onClose = () => end(() => {});
  const onReadable = () => {
    const piece = socket.read() as Buffer | null;
    if (piece === null) {
      // The client has said its last word, and it was no preface.
      if (socket.readableEnded || socket.destroyed) end(() => failed('cut short'));
      return;
    }
    const bytes = pending === null ? piece : Buffer.concat([pending, piece]);
    const preface = readPreface(bytes);
    if (preface.state === 'incomplete') pending = bytes;
    else if (preface.state === 'broken') end(() => failed(preface.detail));
    else
      end(() => {
        if (preface.bytes < bytes.length) socket.unshift(bytes.subarray(preface.bytes));
        came(preface.client);
      });
  };
  socket.on('readable', onReadable);
  socket.once('close', onClose);
}
