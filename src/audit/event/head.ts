import { isoTime, isTime, quoted } from './text.ts';

const BEGIN = '{"id":"';
const TIME = '","time":"';
const MS_AT = 'YYYY-MM-DDTHH:MM:SS.'.length;
const DIGIT_ZERO = 0x30;

/** Where the id goes in a block. */
export const ID_AT = BEGIN.length;

/**
 * An event up to its number: id, time, type, phase and instance. Ids are of one length, and
 * thousands of events share a second, so only digits of the time change.
 */
export class EventHead {
  readonly #names: string;
  #block = Buffer.alloc(0);
  #idLength = -1;
  #second = Number.NaN;

  constructor(type: string, phase: string, instance: string) {
    this.#names = `"type":${quoted(type)},"phase":${quoted(phase)},"instance":${quoted(instance)}`;
  }

  /**
   * As bytes, with room for the id at `ID_AT`. Good until the next call.
   *
   * @param timeMs wall clock, ms since the epoch; a time that is none reads as 1970
   */
  block(idLength: number, timeMs: number): Uint8Array {
    const second = Math.floor(timeMs / 1000);
    if (second === this.#second && idLength === this.#idLength) {
      this.#setMs(Math.floor(timeMs) - second * 1000);
      return this.#block;
    }
    const id = ' '.repeat(idLength);
    this.#block = Buffer.from(`${BEGIN}${id}${TIME}${isoTime(timeMs)}",${this.#names},"seq":`);
    this.#idLength = idLength;
    this.#second = isTime(second * 1000) ? second : Number.NaN;
    return this.#block;
  }

  /** @param id in quotes */
  json(id: string, timeMs: number, seq: number): string {
    const number = Number.isSafeInteger(seq) ? seq : null;
    return `{"id":${id},"time":"${isoTime(timeMs)}",${this.#names},"seq":${number}`;
  }

  #setMs(ms: number): void {
    const at = ID_AT + this.#idLength + TIME.length + MS_AT;
    const hundreds = (ms / 100) | 0;
    const tens = ((ms / 10) | 0) - hundreds * 10;
    this.#block[at] = DIGIT_ZERO + hundreds;
    this.#block[at + 1] = DIGIT_ZERO + tens;
    this.#block[at + 2] = DIGIT_ZERO + ms - hundreds * 100 - tens * 10;
  }
}
