import { CHANGE_TYPES, NOTICE_TYPES } from '../audit/event/audit-event.ts';
import { readEvent } from '../audit/event/read.ts';

/** Types of events that a hook may ask for. */
export const WEBHOOK_EVENTS: ReadonlySet<string> = new Set([...CHANGE_TYPES, ...NOTICE_TYPES]);

/** Of a body, in bytes; a larger one is sent without the records before and after the change. */
const BODY_BYTES = 64 * 1024;

/** What is sent. */
export interface Message {
  /** The same however often it is sent. */
  readonly id: string;
  readonly type: string;
  /** When it happened, in ms since 1970. */
  readonly timeMs: number;
  readonly body: string;
}

/** The message about a recorded event; null where it is none that can be told. */
export function messageOf(line: string): Message | null {
  const event = readEvent(line);
  if (event.phase !== 'change' && event.phase !== 'notice') return null;
  const { id, type, time } = event;
  const whole = bodyOf(type, time, event);
  const isLong = Buffer.byteLength(whole) > BODY_BYTES;
  const body = isLong ? bodyOf(type, time, { ...event, before: null, after: null }) : whole;
  return { id, type, timeMs: Date.parse(time), body };
}

/** As the record has it: without tokens, and without what a record holds of them. */
function bodyOf(type: string, timestamp: string, data: object): string {
  return JSON.stringify({ type, timestamp, data });
}

/** For who wants to see whether something arrives. */
export function testMessage(id: string, timeMs: number, hook: string): Message {
  const time = new Date(timeMs).toISOString();
  return { id, type: 'webhook-test', timeMs, body: bodyOf('webhook-test', time, { hook }) };
}
