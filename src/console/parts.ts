import type { Control } from '../admin/control.ts';
import type { SignInFacts } from '../audit/event/sign-in-event.ts';
import type { Clock } from '../clock.ts';
import type { Route } from '../decision/route.ts';
import type { TryStore } from '../limits/tries-port.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { StatsReader } from '../stats/port.ts';
import type { Log } from '../telemetry/log.ts';
import type { IdentityParts } from './identity/provider.ts';
import type { SessionStore } from './sessions.ts';

/** What the console is built from. It owns none of it. */
export interface ConsoleParts {
  readonly control: Control;
  /** Read at each request: who is behind a session, and what that person may do now. */
  readonly store: Pick<RegistryStore, 'account' | 'accountByName' | 'snapshot'>;
  readonly sessions: SessionStore;
  /** Counts of tries that may have been guesses, for all instances. */
  readonly tries: TryStore;
  /** Null = nobody counts. */
  readonly stats: StatsReader | null;
  /** The routes in force, for the permissions that they ask for. */
  readonly routes: () => readonly Route[];
  /** Names of the protected roles, whose changes wait for approval; absent: none. */
  readonly approvals?: () => readonly string[];
  /** Records a sign-in; false when the audit log does not take it. */
  readonly recordSignIn: (facts: Omit<SignInFacts, 'id' | 'timeMs'>) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  /** `console.sessionHours` and `console.idleMinutes`. */
  readonly settings: ConsoleSettings;
  /** Sign-in by an identity provider; null or absent = by password alone. */
  readonly identity?: IdentityParts | null;
  /** Folder of the built documentation; absent = where `npm run docs` writes it. */
  readonly documentation?: string;
}

export interface ConsoleSettings {
  /** After so long a person signs in again, whatever they do meanwhile. */
  readonly sessionHours: number;
  /** After so long without a request too. */
  readonly idleMinutes: number;
}
