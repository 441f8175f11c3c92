import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditLog, AuditReader } from '../audit/port.ts';
import type { Config } from '../config/schema.ts';
import type { EmbeddedUsage } from '../stats/usage/embedded.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import { EMBEDDED_FILES } from './embedded-files.ts';
import { openFolderRegistry, servedIn } from './folder-registry.ts';
import { prepareForMarker } from './marker-folder.ts';
import { auditLimits } from './store-settings.ts';
import { lateReader, type OpenOptions, type OpenStores } from './stores-port.ts';

/** The registry of a data folder. */
export async function openEmbedded(
  config: Config,
  { clock, create, any = false, note }: OpenOptions,
): Promise<OpenStores> {
  const { dataDir } = config.instance;
  if (!create && !any && !existsSync(join(dataDir, EMBEDDED_FILES.registry)))
    servedIn(dataDir).assert(null);
  prepareForMarker(config, note);
  const { store, served } = await openFolderRegistry(dataDir, clock, create);
  const audit = lazily(async () => {
    const { openEmbeddedAudit } = await import('../audit/log/embedded/log.ts');
    const path = join(dataDir, EMBEDDED_FILES.audit);
    return openEmbeddedAudit({ ...auditLimits(config), path });
  });
  const usage = usageIn(join(dataDir, EMBEDDED_FILES.usage));
  return {
    store,
    served,
    audit,
    usage,
    close: async () => {
      await usage.close();
      await audit.close();
      await store.close();
    },
  };
}

/** The audit file has a thread of its own; most commands never ask for it. */
function lazily(open: () => Promise<AuditLog & AuditReader>): AuditReader {
  let opened: Promise<AuditReader> | null = null;
  const reader = () => {
    opened ??= open();
    return opened;
  };
  return {
    ...lateReader(reader),
    close: async () => {
      if (opened !== null) await (await opened).close();
    },
  };
}

/** Opened when it is first asked for, and never made: that is for the gate. */
function usageIn(path: string): UsageReader & { close(): Promise<void> } {
  let opened: EmbeddedUsage | null = null;
  const file = async () => {
    if (opened !== null || !existsSync(path)) return opened;
    const { EmbeddedUsage: Usage } = await import('../stats/usage/embedded.ts');
    opened ??= new Usage(path);
    return opened;
  };
  return {
    minutes: async (...asked) => (await (await file())?.minutes(...asked)) ?? [],
    hours: async (...asked) => (await (await file())?.hours(...asked)) ?? [],
    close: async () => opened?.close(),
  };
}
