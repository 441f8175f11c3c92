import { readEvent } from '../event/read.ts';

/**
 * An event as exporters see it: every field that any kind of event can have, and what cannot be
 * read as it is. One place knows what stands where, so that a field that is added gets into all
 * formats or into none.
 */
export interface FlatEvent {
  readonly id: string;
  readonly time: string;
  readonly type: string;
  readonly phase: string;
  readonly instance?: string;
  readonly seq?: number;
  readonly account?: Named | null;
  readonly actor?: Named & { readonly via: string };
  readonly target?: Named;
  readonly claimedAccountId?: string;
  readonly tokenId?: string;
  readonly decision?: 'permit' | 'refusal';
  readonly reason?: string;
  readonly detail?: string;
  readonly route?: string;
  readonly permission?: string;
  readonly permissions?: readonly string[];
  readonly upstream?: string;
  readonly application?: string;
  readonly applications?: readonly string[];
  readonly role?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly upstreamStatus?: number;
  readonly durationMs?: number;
  readonly gateMs?: number;
  readonly upstreamMs?: number;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  readonly clientAddress?: string;
  readonly userAgent?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly count?: number;
  readonly firstTime?: string;
  readonly lastTime?: string;
  /** Of what this version cannot read: the line. */
  readonly line?: string;
}

interface Named {
  readonly id: string | null;
  readonly name: string;
  readonly kind: string;
}

export function flatEvent(line: string): FlatEvent {
  // Each kind has some of these fields, under the same names.
  return readEvent(line) as FlatEvent;
}

/** Milliseconds since 1970; 0 for what has no time that can be read. */
export function msOf({ time }: FlatEvent): number {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? 0 : ms;
}

/** Whoever did it, as far as it is known. */
export function doerOf({ account, actor }: FlatEvent): Named | null {
  return actor ?? account ?? null;
}

/** `null`: neither, such as the beginning of a call that is under way. */
export function successOf({ phase, decision, reason, status }: FlatEvent): boolean | null {
  if (phase === 'change') return true;
  if (decision !== undefined) return decision === 'permit';
  if (phase !== 'outcome') return null;
  if (reason === 'outcome-unknown') return null;
  return reason === 'permitted' && (status === undefined || status < 400);
}

/** For people who read the exported events one by one. */
export function messageOf({ type, phase, method, path, reason, target }: FlatEvent): string {
  const about = [method, path, target === undefined ? undefined : `${target.kind} ${target.name}`];
  return [`${type} ${phase}`, ...about, reason].filter((word) => word !== undefined).join(' ');
}
