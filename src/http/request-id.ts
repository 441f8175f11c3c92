import { randomInt } from 'node:crypto';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
const COUNTER_DIGITS = 9;

/**
 * Request ids: a random part per process, then a counter. Unique among all instances (62 random
 * bits) and in order within one; they are names, not secrets.
 */
export function createRequestIds(): () => string {
  let prefix = '';
  for (let digit = 0; digit < 12; digit += 1) prefix += ALPHABET[randomInt(ALPHABET.length)]!;
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36).padStart(COUNTER_DIGITS, '0')}`;
  };
}
