import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { startGateway } from '../support/gateway.ts';
import { CLIENT, startIdentityProvider, WebBrowser } from '../support/identity.ts';

// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 60_000, interval: 50 };
vi.setConfig({ testTimeout: 120_000 });

/** A gate and a provider that know each other by one secret, and the file that holds it. */
async function acquainted() {
  const provider = await startIdentityProvider();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-oidc-'));
  const clientSecretFile = join(folder, 'client-secret');
  const says = (secret: string) => writeFileSync(clientSecretFile, secret, { mode: 0o600 });
  says(CLIENT.secret);
  provider.person = { sub: 'u-1', preferred_username: 'ada', groups: ['readers'] };
  const scopes = ['openid', 'profile', 'groups'];
  const roles = { readers: 'tester' };
  const gate = await startGateway({
    upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: {
      identity: {
        issuer: provider.issuer,
        clientId: CLIENT.id,
        clientSecretFile,
        scopes,
        roles,
      },
    },
  });
  onTestFinished(async () => {
    await gate.stop();
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const origin = `https://localhost:${gate.gateway.addresses.admin!.port}`;
  const callback = new URL('/sign-in/callback', origin).href;
  const file = join(gate.dataDir, 'test.yaml');
  writeFileSync(file, gate.text);
  /** The status of the last step of a sign-in from its beginning. */
  const signIn = async () => {
    const browser = new WebBrowser();
    const { location } = await browser.visit(new URL('/sign-in/identity', origin), origin);
    const isCallback = (url: URL) => url.pathname === '/sign-in/callback';
    const back = await browser.follow(location!, isCallback, origin);
    return (await browser.visit(back, provider.issuer)).status;
  };
  const secrets = () => {
    const found = gate.gateway.readiness.checks.find(({ name }) => name === 'secrets');
    return found === undefined || found.state === 'ok' ? null : found.why;
  };
  return {
    gate,
    signIn,
    secrets,
    knows: (secret: string) => provider.open(callback, secret),
    reload: (secret: string) => {
      says(secret);
      gate.gateway.reload(loadConfig(file).config);
    },
  };
}

it('takes over a secret that the file had first, and is known by the former one meanwhile', async () => {
  const { gate, signIn, secrets, knows, reload } = await acquainted();
  knows(CLIENT.secret);
  expect(await signIn()).toBe(200);
  reload('another secret');
  await vi.waitFor(() => expect(secrets()).toMatch(/identity\.clientSecret.*not know us/), LIMIT);
  expect(gate.gateway.ready).toBe(true);
  expect(await signIn()).toBe(200);
  knows('another secret');
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  expect(await signIn()).toBe(200);
  expect(gate.log.join('\n')).not.toContain('another secret');
});

it('takes over a secret that the provider had first', async () => {
  const { signIn, secrets, knows, reload } = await acquainted();
  knows('another secret');
  expect(await signIn()).toBe(503);
  reload('another secret');
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  expect(await signIn()).toBe(200);
});
