import { join } from 'node:path';
import { EMBEDDED_FILES } from '../../admin/embedded-files.ts';
import { openFolderRegistry } from '../../admin/folder-registry.ts';
import { auditLimits } from '../../admin/store-settings.ts';
import { folderKeyStore, sealingSecretIn } from '../../assertion/folder.ts';
import { addressKeyIn } from '../../audit/log/embedded/address-key.ts';
import { openEmbeddedAudit } from '../../audit/log/embedded/log.ts';
import { EmbeddedSessions } from '../../console/embedded-sessions.ts';
import { EmbeddedTries } from '../../limits/embedded-tries.ts';
import { EmbeddedPublished } from '../../published/embedded.ts';
import { EmbeddedStats } from '../../stats/embedded.ts';
import { openUsage } from '../../stats/usage/embedded.ts';
import { EmbeddedWebhooks } from '../../webhooks/embedded.ts';
import { type GateContext, own } from '../context.ts';
import type { GatewayStores } from './port.ts';

/** Files in the data folder, whose only owner this process is. Throws `StoreInUse`. */
export async function openEmbeddedStores(gate: GateContext): Promise<GatewayStores> {
  const { clock } = gate;
  const { config } = gate.state;
  const { dataDir } = config.instance;
  const path = (file: keyof typeof EMBEDDED_FILES) => join(dataDir, EMBEDDED_FILES[file]);
  // First: it finds out whether another process owns the folder.
  const { store, served } = await openFolderRegistry(dataDir, clock, true);
  own(gate, store);
  const audit = own(gate, await openEmbeddedAudit({ ...auditLimits(config), path: path('audit') }));
  if (config.audit.clientAddress === 'hashed')
    gate.addresses.useKey(addressKeyIn(join(dataDir, 'address-key')));
  const sessions = own(gate, new EmbeddedSessions(path('sessions'), clock));
  const tries = own(gate, new EmbeddedTries(path('tries'), clock));
  const webhooks = own(gate, new EmbeddedWebhooks(path('webhooks')));
  const stats = own(gate, new EmbeddedStats(path('stats')));
  const onDamaged = (fault: unknown) =>
    gate.log.error('the counts of who called are damaged, and begin anew', { error: fault });
  const usage = own(gate, openUsage(path('usage'), onDamaged));
  return {
    source: store,
    served,
    log: audit,
    quotas: null,
    isOwner: true,
    managed: { store, audit, sessions, tries, webhooks },
    renewals: store,
    assertionKeys: {
      store: folderKeyStore(dataDir),
      sealingSecret: () => sealingSecretIn(dataDir),
    },
    stats,
    published: new EmbeddedPublished(clock),
    usage,
    secrets: null,
    auditSecrets: null,
  };
}
