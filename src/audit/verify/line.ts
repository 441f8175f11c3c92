/** One stored event, as verification needs to know it. */
export interface LogLine {
  /** As stored, without its line feed. */
  readonly text: string;
  readonly instance: string;
  /** Null: it has no number in the series of its instance. */
  readonly seq: number | null;
  readonly time: string;
  readonly type: string;
  readonly phase: string;
  /** It is a link: what it says of the segment before it (base64url of SHA-256). */
  readonly chain: string | null;
  /** All that it holds; empty where the line is no JSON object. */
  readonly event: Readonly<Record<string, unknown>>;
}

/** What an instance without predecessor adopts. */
export const NO_CHAIN = 'A'.repeat(43);

/**
 * Reads a line as far as it goes. A damaged line whose instance and number can still be found keeps
 * its place, so that it counts as changed and not as missing. Null: it belongs nowhere.
 */
export function readLine(text: string): LogLine | null {
  const event = objectIn(text);
  if (event === null) return damaged(text);
  const { instance, seq, time, type, phase, chain } = event;
  return {
    text,
    instance: textOf(instance),
    seq: isNumber(seq) ? seq : null,
    time: textOf(time),
    type: textOf(type),
    phase: textOf(phase),
    chain: typeof chain === 'string' ? chain : null,
    event,
  };
}

function damaged(text: string): LogLine | null {
  const instance = /"instance":"([^"\\]{1,256})"/.exec(text)?.[1];
  const seq = Number(/"seq":(\d{1,15})[,}]/.exec(text)?.[1] ?? Number.NaN);
  if (instance === undefined || !isNumber(seq)) return null;
  const time = /"time":"([^"\\]{1,32})"/.exec(text)?.[1] ?? '';
  return { text, instance, seq, time, type: '', phase: '', chain: null, event: {} };
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
