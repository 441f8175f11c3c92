import type { FollowState } from '../admin/follow-audit.ts';
import type { Trust } from '../audit/verify/keys.ts';
import { verifierMetrics } from '../telemetry/verifier-metrics.ts';
import { Refused } from './exit.ts';
import { metricsAddress, serveMetrics } from './metrics-server.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { signalled } from './signals.ts';
import { note, say, sayJsonLine, visible } from './terminal.ts';

export interface FollowVerifyOptions extends StoreOptions {
  readonly json?: boolean;
  readonly metrics?: string;
}

/** Tells each finding when it is found, until a signal comes. */
export async function followVerification(
  options: FollowVerifyOptions,
  trust: Trust | null,
): Promise<void> {
  let state: FollowState = { events: 0, gaps: 0, edits: 0, readMs: 0 };
  const told = () => `${state.gaps} gaps, ${state.edits} edits in ${state.events} events`;
  const address = options.metrics === undefined ? null : metricsAddress(options.metrics);
  await withReach(options, false, async ({ control, actor }) => {
    const stop = new AbortController();
    void signalled().then(() => stop.abort());
    const server =
      address === null
        ? null
        : await serveMetrics(
            address,
            verifierMetrics(() => state),
          );
    if (server !== null) note(`Metrics: http://${hostOf(address!.host)}:${server.port}/metrics`);
    const observer = {
      found: (finding: { readonly kind: string; readonly message: string }) =>
        options.json === true
          ? sayJsonLine(JSON.stringify(finding))
          : say(visible(`${finding.kind}: ${finding.message}`)),
      read: (read: FollowState) => {
        const isFirst = state.readMs === 0;
        state = read;
        if (isFirst) note(`${told()} so far. What comes is verified as it comes.`);
      },
      away: (why: string | null) => note(visible(why ?? 'The record can be read again.')),
    };
    try {
      await control.verification.follow(actor, { trust }, observer, stop.signal);
    } finally {
      server?.close();
    }
  });
  if (state.gaps + state.edits > 0) throw new Refused(told());
  note(told());
}

function hostOf(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
