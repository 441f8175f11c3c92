import type { ServerCertificates } from '../tls/server-certificates.ts';
import { type GateContext, own } from './context.ts';
import type { Records } from './records.ts';

const DAY_MS = 86_400_000;
/** Between two looks. */
const EVERY_MS = 3_600_000;

/**
 * Tells of certificates of this instance that expire soon, as of accounts: once for each span, by
 * the look in which an expiry comes within it. Up to when it was told is not kept, so an instance
 * begins with what has come within a span on the day before.
 */
export function warnOfCertificates(
  gate: GateContext,
  { notify }: Pick<Records, 'notify'>,
  listeners: readonly (ServerCertificates | null | undefined)[],
): void {
  const { clock, nextRequestId, state } = gate;
  const days = [...state.config.registry.expiryWarningDays].sort((one, other) => one - other);
  let toldMs = clock.wallMs() - DAY_MS;
  const look = () => {
    const nowMs = clock.wallMs();
    const told = new Set<string>();
    for (const { certificateFile, names, expiresAtMs } of listeners.flatMap(
      (one) => one?.certificates ?? [],
    )) {
      const within = spanCrossed(expiresAtMs, toldMs, nowMs, days);
      if (within === null || told.has(certificateFile)) continue;
      told.add(certificateFile);
      notify({
        id: nextRequestId(),
        timeMs: nowMs,
        type: 'certificate-expiring',
        detail: `within ${within === 1 ? 'a day' : `${within} days`}: ${names.slice(0, 5).join(', ')}`,
        expiresAt: new Date(expiresAtMs).toISOString(),
      });
    }
    toldMs = nowMs;
  };
  look();
  const timer = setInterval(look, EVERY_MS).unref();
  own(gate, { close: () => clearInterval(timer) });
}

/** The shortest span before the expiry that began after one moment and up to another. */
export function spanCrossed(
  expiresAtMs: number,
  fromMs: number,
  nowMs: number,
  days: readonly number[],
): number | null {
  const crossed = days.find((span) => {
    const beginsMs = expiresAtMs - span * DAY_MS;
    return beginsMs > fromMs && beginsMs <= nowMs;
  });
  return crossed === undefined || expiresAtMs <= nowMs ? null : crossed;
}
