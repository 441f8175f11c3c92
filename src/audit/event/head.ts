import { isoTime, isTime, quoted } from './text.ts';

const TIME = ',"time":"';
const MS_AT = TIME.length + 'YYYY-MM-DDTHH:MM:SS.'.length;
const DIGIT_ZERO = 0x30;

/**
 * What stands between the id and the number of an event: time, type, phase and instance. Thousands
 * of events share a second, so only digits change.
 */
export class EventHead {
  /** As of the last `at`. It begins behind the quote of the id. */
  readonly block: Buffer;
  #second = Number.NaN;

  constructor(type: string, phase: string, instance: string) {
    const names = `"type":${quoted(type)},"phase":${quoted(phase)},"instance":${quoted(instance)}`;
    this.block = Buffer.from(`"${TIME}${isoTime(0)}",${names},"seq":`);
  }

  /** @param timeMs wall clock, ms since the epoch; a time that is none reads as 1970 */
  at(timeMs: number): this {
    const second = typeof timeMs === 'number' ? Math.floor(timeMs / 1000) : Number.NaN;
    if (second === this.#second) {
      this.#setMs(Math.floor(timeMs) - second * 1000);
    } else {
      this.block.write(isoTime(timeMs), 1 + TIME.length, 'latin1');
      this.#second = isTime(second * 1000) ? second : Number.NaN;
    }
    return this;
  }

  /** The same with a number, behind the id and its quote. */
  json(seq: number): string {
    return `${this.block.toString('utf8', 1)}${Number.isSafeInteger(seq) ? seq : null}`;
  }

  #setMs(ms: number): void {
    const hundreds = (ms / 100) | 0;
    const tens = ((ms / 10) | 0) - hundreds * 10;
    this.block[1 + MS_AT] = DIGIT_ZERO + hundreds;
    this.block[2 + MS_AT] = DIGIT_ZERO + tens;
    this.block[3 + MS_AT] = DIGIT_ZERO + ms - hundreds * 100 - tens * 10;
  }
}
