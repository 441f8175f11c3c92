import * as z from 'zod';
import { apply, live, restart } from './reloading.ts';
import type { Secret } from './secret.ts';
import { accountsSection } from './sections/accounts.ts';
import { assertionSection } from './sections/assertion.ts';
import { auditSection } from './sections/audit.ts';
import { consoleSection } from './sections/console.ts';
import { identitySection } from './sections/identity.ts';
import { instanceSection } from './sections/instance.ts';
import { limitsSection } from './sections/limits.ts';
import { listenSection } from './sections/listen.ts';
import { logSection } from './sections/log.ts';
import { registrySection } from './sections/registry.ts';
import { errorsKey, routesSection } from './sections/routes.ts';
import { storeSection } from './sections/store.ts';
import { telemetrySection } from './sections/telemetry.ts';
import { upstreamsSection } from './sections/upstreams.ts';
import { webhooksSection } from './sections/webhooks.ts';

/**
 * The whole configuration file: every key with its default, its bounds and a doc line. Strict at
 * every level: a key that is not here is a fault. Rules between keys are in rules.ts.
 */
export const configSchema = z
  .strictObject({
    instance: restart(instanceSection),
    listen: restart(listenSection),
    store: restart(storeSection),
    registry: restart(registrySection),
    audit: restart(auditSection),
    assertion: restart(assertionSection),
    upstreams: live(upstreamsSection),
    routes: live(routesSection),
    limits: live(limitsSection),
    realm: live(
      z
        .string()
        .regex(
          /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
          'expected 1 to 128 printable ASCII characters without " and \\',
        )
        .default('sallyport')
        .describe('Realm that a 401 names in WWW-Authenticate.'),
    ),
    errors: live(errorsKey),
    accounts: apply(accountsSection),
    log: restart(logSection),
    telemetry: live(telemetrySection),
    console: restart(consoleSection),
    identity: restart(identitySection),
    webhooks: live(webhooksSection),
  })
  .transform((config) => ({
    ...config,
    routes: config.routes.map((route) => ({ ...route, errors: route.errors ?? config.errors })),
  }));

type DeepReadonly<T> = T extends Secret
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

/**
 * The checked configuration, defaults filled in, file paths absolute, secrets wrapped. What is left
 * out is null.
 */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

export type StoreConfig = Config['store'];
export type RedisStoreConfig = Extract<StoreConfig, { kind: 'redis' }>;
export type IdentityConfig = NonNullable<Config['identity']>;
export type UpstreamConfig = Config['upstreams'][number];
