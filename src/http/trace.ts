import { randomBytes } from 'node:crypto';
import type { RequestHead } from './request-head.ts';

/**
 * W3C Trace Context, level 1: kept when valid, begun anew when not, never a reason to refuse. A
 * higher version is read as far as version 00 goes and written as 00 (§3.2.4).
 */
export interface Trace {
  /** Null: there is none, and none is begun. */
  readonly traceparent: string | null;
  /** Only kept together with a valid `traceparent`; null when there is none. */
  readonly tracestate: string | null;
  /** 32 hex digits; for the audit. */
  readonly traceId: string | null;
}

/**
 * What a call without a trace gets. Services follow the flag that they are told: one that says
 * "not sampled" switches their spans off, so the default leaves the choice to them.
 */
export const NEW_TRACES = ['sampled', 'unsampled', 'none'] as const;
export type NewTraces = (typeof NEW_TRACES)[number];

const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;
const NO_TRACE: Trace = { traceparent: null, tracestate: null, traceId: null };
/** §3.3.1: longer ones may be dropped; more members are not allowed. */
const MAX_TRACESTATE_LENGTH = 512;
const MAX_TRACESTATE_MEMBERS = 32;
/** §3.3.1.3, its two kinds of key taken together. Members may be empty. */
const TRACESTATE_MEMBER =
  /^[\t ]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256})?[\t ]*$/;

export function traceOf(head: RequestHead, begin: NewTraces): Trace {
  let traceparent: string | null = null;
  let tracestate: string | null = null;
  let duplicate = false;
  for (let index = 0; index < head.names.length; index += 1) {
    const name = head.names[index]!.lower;
    if (name === 'traceparent') {
      duplicate = traceparent !== null;
      traceparent = head.values[index]!;
    } else if (name === 'tracestate') {
      tracestate =
        tracestate === null ? head.values[index]! : `${tracestate},${head.values[index]!}`;
    }
  }
  const known = traceparent === null || duplicate ? null : readParent(traceparent);
  if (known === null) return newTrace(begin);
  const kept = tracestate !== null && isTracestate(tracestate) ? tracestate : null;
  return { traceparent: known, tracestate: kept, traceId: known.slice(3, 35) };
}

/** As version 00; null when it cannot be read. */
function readParent(text: string): string | null {
  const [, version, ids, flags = '', more] = TRACEPARENT.exec(text) ?? [];
  if (ids === undefined) return null;
  if (version === '00') return more === undefined ? text : null;
  // Of the flags of a version that is not known, only the sampled one has a meaning.
  return `00-${ids}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

function isTracestate(value: string): boolean {
  if (value.length > MAX_TRACESTATE_LENGTH) return false;
  const members = value.split(',');
  return (
    members.length <= MAX_TRACESTATE_MEMBERS &&
    members.every((member) => TRACESTATE_MEMBER.test(member))
  );
}

/** One that begins here. */
export function newTrace(begin: NewTraces): Trace {
  if (begin === 'none') return NO_TRACE;
  const id = randomHex();
  const traceId = id.slice(0, 32);
  const flags = begin === 'sampled' ? '01' : '00';
  return { traceparent: `00-${traceId}-${id.slice(32)}-${flags}`, tracestate: null, traceId };
}

/** 16 hex digits. */
export function newSpanId(): string {
  return randomHex().slice(32);
}

/** Random bytes are drawn in bulk: a call to the CSPRNG costs as much for 24 bytes as for 4 KiB. */
const ID_HEX_DIGITS = 48;
const POOL_IDS = 128;
let pool = '';
let used = POOL_IDS;

function randomHex(): string {
  if (used === POOL_IDS) {
    pool = randomBytes((POOL_IDS * ID_HEX_DIGITS) / 2).toString('hex');
    used = 0;
  }
  const start = used * ID_HEX_DIGITS;
  used += 1;
  return pool.slice(start, start + ID_HEX_DIGITS);
}
