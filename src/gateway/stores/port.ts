import type { AuditLog, AuditReader } from '../../audit/port.ts';
import type { SessionStore } from '../../console/sessions.ts';
import type { QuotaStore } from '../../limits/quota-port.ts';
import type { TryStore } from '../../limits/tries-port.ts';
import type { PublishedStore } from '../../published/port.ts';
import type { RegistrySource, RegistryStore } from '../../registry/port.ts';
import type { ServedRegistry } from '../../registry/served.ts';
import type { StatsStore } from '../../stats/port.ts';
import type { UsageStore } from '../../stats/usage/port.ts';
import type { WebhookStore } from '../../webhooks/port.ts';
import type { AssertionStore } from '../assertions.ts';
import type { StoreSecrets } from './secrets.ts';

/** What administration works with. */
export interface ManagedStores {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
  readonly sessions: SessionStore;
  /** Counts of tries that may have been guesses. */
  readonly tries: TryStore;
  /** Who delivers webhooks, and how far each has come. */
  readonly webhooks: WebhookStore;
}

/** What a running gate works with. Whoever opened them closes them, by its context. */
export interface GatewayStores {
  readonly source: RegistrySource;
  /** Which registry this data folder has served: the source reads no other. */
  readonly served: ServedRegistry;
  readonly log: AuditLog;
  /** Where rate limits are shared with other instances; null when there are none. */
  readonly quotas: QuotaStore | null;
  /** This process is the store's only owner, so it serves the command line too. */
  readonly isOwner: boolean;
  /**
   * With the embedded store always; with Redis only where there is an admin listener, because
   * nobody else may change the registry.
   */
  readonly managed: ManagedStores | null;
  /** Where tokens are exchanged, as routes with an action ask for it; null where none did. */
  readonly renewals: RegistryStore | null;
  /** Where the keys are shared that sign assertions. */
  readonly assertionKeys: AssertionStore;
  /** What was counted minute by minute. */
  readonly stats: StatsStore;
  /** Where gates tell which routes they have in force. */
  readonly published: PublishedStore;
  /** Who called, minute by minute and hour by hour. */
  readonly usage: UsageStore;
  /** Null with the embedded store, which asks for none. */
  readonly secrets: StoreSecrets | null;
  /** Of a Redis that holds the audit alone; null where there is none. */
  readonly auditSecrets: StoreSecrets | null;
}
