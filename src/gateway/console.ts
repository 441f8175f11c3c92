import type { Control } from '../admin/control.ts';
import { type SignInFacts, signInEvent } from '../audit/event/sign-in-event.ts';
import type { Outbox } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import { type Console, createConsole } from '../console/console.ts';
import { IdentityProvider } from '../console/identity/provider.ts';
import type { SessionStore } from '../console/sessions.ts';
import type { Route } from '../decision/route.ts';
import type { TryStore } from '../limits/tries-port.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { StatsReader } from '../stats/port.ts';
import type { Log } from '../telemetry/log.ts';

export interface GatewayConsoleParts {
  readonly config: Config;
  readonly control: Control;
  readonly store: RegistryStore;
  readonly sessions: SessionStore;
  readonly tries: TryStore;
  readonly stats: StatsReader;
  readonly outbox: Outbox;
  readonly routes: () => readonly Route[];
  readonly instance: string;
  readonly clock: Clock;
  readonly nextRequestId: () => string;
  readonly log: Log;
  /** Who vouches for people; null = passwords alone. */
  readonly provider: IdentityProvider | null;
}

/** The identity provider of a configuration, whose secret may rotate; null where none is named. */
export function openIdentity(
  { identity }: Config,
  clock: Clock,
  log: Log,
): IdentityProvider | null {
  if (identity === null) return null;
  const provider: IdentityProvider = new IdentityProvider(
    identity,
    () => clock.monotonicMs(),
    () => {
      const why = provider.pendingSecret;
      if (why === null) log.info('identity.clientSecret is taken over');
      else log.warn('identity.clientSecret is not taken over yet: it is tried again', { why });
    },
  );
  return provider;
}

/** The console of a gate; null when the configuration wants none. */
export function openConsole(parts: GatewayConsoleParts): Console | null {
  const { config, control, store, sessions, tries, stats, routes, clock, log, provider } = parts;
  if (!config.console.enabled) return null;
  return createConsole({
    control,
    store,
    sessions,
    tries,
    stats,
    routes,
    recordSignIn: signInRecorder(parts),
    clock,
    log,
    settings: config.console,
    identity:
      config.identity === null || provider === null ? null : { config: config.identity, provider },
  });
}

const AWAY = { reason: 'audit-unavailable', status: 503 } as const;

/**
 * Nobody is let in before the record of it is safe; the answer is whether it is. A record that
 * comes too late is followed by one that says what the person was told instead.
 */
export function signInRecorder({
  outbox,
  instance,
  clock,
  nextRequestId,
}: Pick<GatewayConsoleParts, 'outbox' | 'instance' | 'clock' | 'nextRequestId'>) {
  return (facts: Omit<SignInFacts, 'id' | 'timeMs' | 'instead'>): Promise<boolean> =>
    new Promise((resolve) => {
      const id = nextRequestId();
      const account = facts.account?.id ?? null;
      const eventOf = (more: Pick<SignInFacts, 'instead'>) => (seq: number) =>
        signInEvent(instance, seq, { id, timeMs: clock.wallMs(), ...facts, ...more });
      const taken = outbox.record(eventOf({}), account, {
        accepted: () => resolve(true),
        notAccepted() {
          if (taken !== 'no-room' && facts.reason === 'signed-in')
            outbox.recordEnd(eventOf({ instead: AWAY }), account);
          resolve(false);
        },
      });
    });
}
