import type { ResponseReceiver } from './port.ts';

/**
 * The exchange is over, and its connection closed or free for another one: what goes wrong in this
 * step concerns the receiver alone.
 */
export function lastWord(receiver: ResponseReceiver, word: () => void): void {
  try {
    word();
  } catch (error) {
    receiver.onFault(error);
  }
}
