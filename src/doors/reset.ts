import type { Socket } from 'node:net';

/**
 * Ends a connection by a reset, at once. A socket file knows none, and Node throws: it is closed,
 * and who reads a response that only the close ends takes it for whole.
 */
export function resetAndDestroy(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_INVALID_HANDLE_TYPE') throw error;
    socket.destroy();
  }
}
