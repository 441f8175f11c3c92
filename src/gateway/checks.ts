import type { Upstream } from '../forwarding/upstream.ts';
import { type Check, checkOf } from '../ops/readiness.ts';
import { upstreamsResult } from './upstreams.ts';

/** What readiness is judged by, asked each time. */
export interface Judged {
  draining(): boolean;
  /** Why the registry does not count; null when it does. */
  registryWhy(): string | null;
  auditHealthy(): boolean;
  /** What the audit log said when it took no records. */
  auditProblem(): string | null;
  upstreams(): ReadonlyMap<string, Upstream>;
  /** Null: there is no admin listener. */
  readonly admin: Check['result'] | null;
  /** What secret files say that is not in use yet; null when all is. */
  secrets(): string | null;
  /** Why the last reload was refused; null when it was not. */
  reloadFault(): string | null;
}

/** The checks of `/readyz`, in the order in which it shows them. */
export function checksOf(judged: Judged): readonly Check[] {
  return [
    checkOf('draining', () => (judged.draining() ? 'the gate is shutting down' : null)),
    checkOf('registry', () => judged.registryWhy()),
    checkOf('audit', () => (judged.auditHealthy() ? null : auditTrouble(judged.auditProblem()))),
    { name: 'upstreams', result: () => upstreamsResult(judged.upstreams()) },
    ...(judged.admin === null ? [] : [{ name: 'admin', result: judged.admin }]),
    { name: 'secrets', result: () => warning(judged.secrets()) },
    { name: 'config', result: () => warning(judged.reloadFault()) },
  ];
}

function auditTrouble(why: string | null): string {
  return why === null ? 'the audit log takes no records' : `the audit log takes no records: ${why}`;
}

function warning(why: string | null): ReturnType<Check['result']> {
  return why === null ? { state: 'ok' } : { state: 'warning', why };
}
