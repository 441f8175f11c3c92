import { randomBytes } from 'node:crypto';
import type { RequestHead } from '../wire/request-head.ts';

/** W3C Trace Context, level 1: kept when valid, begun anew when not, never a reason to refuse. */
export interface Trace {
  readonly traceparent: string;
  /** Only kept together with a valid `traceparent`; null when there is none. */
  readonly tracestate: string | null;
  /** 32 hex digits; for the audit. */
  readonly traceId: string;
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** §3.3.1: longer ones may be dropped; more members are not allowed. */
const MAX_TRACESTATE_LENGTH = 512;
const MAX_TRACESTATE_MEMBERS = 32;
/** §3.3.1.3, its two kinds of key taken together. Members may be empty. */
const TRACESTATE_MEMBER =
  /^[\t ]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256})?[\t ]*$/;

export function traceOf(head: RequestHead): Trace {
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
  const match = traceparent === null || duplicate ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return newTrace();
  const kept = tracestate !== null && isTracestate(tracestate) ? tracestate : null;
  return { traceparent: traceparent!, tracestate: kept, traceId: match[1]! };
}

function isTracestate(value: string): boolean {
  if (value.length > MAX_TRACESTATE_LENGTH) return false;
  const members = value.split(',');
  return (
    members.length <= MAX_TRACESTATE_MEMBERS &&
    members.every((member) => TRACESTATE_MEMBER.test(member))
  );
}

function newTrace(): Trace {
  const id = randomHex();
  const traceId = id.slice(0, 32);
  return { traceparent: `00-${traceId}-${id.slice(32)}-00`, tracestate: null, traceId };
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
