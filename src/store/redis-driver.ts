import type { Socket } from 'node:net';
import { type Command, Redis } from 'ioredis';

/**
 * The driver, with time limits that look at what has arrived before they say that nothing has.
 *
 * After a pause of the process (stopped, or its loop blocked) timers come first in a turn of the
 * event loop and sockets after them: an answer that lay in the socket all the time would be thrown
 * away for being late, and its connection with it.
 */
export class PatientRedis extends Redis {
  override sendCommand(command: Command, stream?: Parameters<Redis['sendCommand']>[1]): unknown {
    command.setTimeout = timeOutAfterReading;
    return super.sendCommand(command, stream);
  }
}

/** In place of the driver's own; it clears the timer itself once the command is answered. */
function timeOutAfterReading(this: Command, ms: number): void {
  const timed = this as unknown as { _commandTimeoutTimer?: NodeJS.Timeout };
  timed._commandTimeoutTimer ??= setTimeout(() => {
    setImmediate(() => {
      if (!this.isSettled) this.reject(new Error('Command timed out'));
    });
  }, ms);
}

/** For a socket that the driver destroys when nothing has arrived for its `socketTimeout`. */
export function destroyedAfterReading(socket: Socket): Socket {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (fault?: Error) => {
    if (fault?.message.startsWith('Socket timeout') !== true) return destroy(fault);
    const { bytesRead } = socket;
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) destroy(fault);
    });
    return socket;
  };
  return socket;
}
