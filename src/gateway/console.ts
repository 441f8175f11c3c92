import type { Control } from '../admin/control.ts';
import { type SignInFacts, signInEvent } from '../audit/event/sign-in-event.ts';
import type { Outbox } from '../audit/port.ts';
import { type Console, createConsole } from '../console/console.ts';
import { IdentityProvider } from '../console/identity/provider.ts';
import type { StatsReader } from '../stats/port.ts';
import { type GateContext, own } from './context.ts';
import type { ManagedStores } from './stores/port.ts';

/** The identity provider of the configuration, whose secret may rotate; null: none is named. */
export function openIdentity(gate: GateContext): IdentityProvider | null {
  const { clock, log, state } = gate;
  const { identity } = state.config;
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
  return own(gate, provider);
}

export interface SiteParts {
  readonly control: Control;
  readonly managed: ManagedStores;
  readonly stats: StatsReader;
  readonly outbox: Outbox;
  /** Who vouches for people; null = passwords alone. */
  readonly provider: IdentityProvider | null;
}

/** The console of a gate; null when the configuration wants none. */
export function createSite(gate: GateContext, parts: SiteParts): Console | null {
  const { clock, log, state } = gate;
  const { console: settings, identity } = state.config;
  const { control, managed, stats, outbox, provider } = parts;
  if (!settings.enabled) return null;
  return createConsole({
    control,
    store: managed.store,
    sessions: managed.sessions,
    tries: managed.tries,
    stats,
    routes: () => state.config.routes,
    approvals: () => state.config.console.approvals.roles,
    recordSignIn: signInRecorder({ ...gate, outbox }),
    clock,
    log,
    settings,
    identity: identity === null || provider === null ? null : { config: identity, provider },
  });
}

const AWAY = { reason: 'audit-unavailable', status: 503 } as const;

/**
 * Nobody is let in before the record of it is safe: resolves to whether it is. A record that
 * comes too late is followed by one that says what the person was told instead.
 */
export function signInRecorder({
  addresses,
  outbox,
  instance,
  clock,
  nextRequestId,
}: Pick<GateContext, 'addresses' | 'instance' | 'clock' | 'nextRequestId'> & {
  readonly outbox: Outbox;
}) {
  return (given: Omit<SignInFacts, 'id' | 'timeMs' | 'instead'>): Promise<boolean> =>
    new Promise((resolve) => {
      const { clientAddress: address } = given;
      const clientAddress = address === null ? null : addresses.recorded(address);
      const facts = { ...given, clientAddress };
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
