import { readFileSync } from 'node:fs';
import type { ConfigCheck } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { readNetwork } from '../http/network.ts';
import { readCertificates } from '../tls/certificate.ts';
import { WEBHOOK_EVENTS } from './message.ts';
import type { Hook } from './port.ts';
import { assertReceiver } from './receivers.ts';
import { readKeys } from './signature.ts';

type Configured = Config['webhooks'][number];

/**
 * What is configured, ready to be used. Throws `CertificateFault` for CAs that do not serve, and
 * what the file system says; what `checkWebhooks` finds must be mended first.
 */
export function hooksOf({ webhooks }: Config): readonly Hook[] {
  return webhooks.map(hookOf);
}

function hookOf({ name, url, events, secret, caFile, networks }: Configured): Hook {
  const read = secret === null ? { fault: 'is missing' } : readKeys(secret);
  if ('fault' in read) throw new Error(`the secret of the webhook ${name} ${read.fault}`);
  if (caFile !== null) readCertificates(caFile);
  return {
    name,
    url,
    events: new Set(events),
    keys: read.keys,
    ca: caFile === null ? null : readFileSync(caFile, 'utf8'),
    networks: networks === null ? null : networksIn(networks),
  };
}

/** As they are spelled where they are compared. */
function networksIn(networks: readonly string[]): readonly string[] {
  return networks.flatMap((text) => {
    const read = readNetwork(text);
    return 'network' in read ? [read.network] : [];
  });
}

/** What can be said of hooks without connecting to anything. */
export const checkWebhooks: ConfigCheck = ({ webhooks, listen, store }, report) => {
  const names = new Set<string>();
  for (const [index, hook] of webhooks.entries()) {
    const path = ['webhooks', index];
    if (names.has(hook.name)) report.fault([...path, 'name'], 'another webhook has this name');
    names.add(hook.name);
    for (const [at, event] of hook.events.entries())
      if (!WEBHOOK_EVENTS.has(event))
        report.fault([...path, 'events', at], `there is no event ${event}`);
    for (const [at, network] of (hook.networks ?? []).entries()) {
      const read = readNetwork(network);
      if ('fault' in read) report.fault([...path, 'networks', at], read.fault);
    }
    const { secret } = hook;
    const read = secret === null ? null : readKeys(secret);
    if (read !== null && 'fault' in read) report.fault([...path, 'secretFile'], read.fault);
    try {
      assertReceiver(new URL(hook.url), hook.networks === null ? null : networksIn(hook.networks));
    } catch (error) {
      report.fault([...path, 'url'], (error as Error).message);
    }
  }
  if (webhooks.length > 0 && store.kind === 'redis' && listen.admin === null)
    report.warning(
      ['webhooks'],
      'nothing is told by this instance: those with listen.admin do, which may change the registry',
    );
};
