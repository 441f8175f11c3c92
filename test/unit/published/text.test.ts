import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { explain } from '../../../src/decision/explain.ts';
import type { Route } from '../../../src/decision/route.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { PUBLISHED_LIMITS, routesFrom, routesText } from '../../../src/published/text.ts';
import { account, role, team } from '../account/samples.ts';

const SECRET = 'Basic c2VjcmV0LXRoaW5n';
const CONFIG = `
listen: { proxy: { address: "127.0.0.1:0", plaintext: true } }
store: { kind: embedded }
upstreams:
  hidden-service: { addresses: ["http://10.9.8.7:8080"] }
routes:
  - { name: apps, path: "/apps/{application}/**", methods: [GET, POST], application: "{application}", permission: apps:write, upstream: hidden-service, caseInsensitive: true }
  - { name: crm, host: crm.example, path: /crm, methods: [GET], application: CRM, permission: apps:write, upstream: hidden-service }
  - { name: some, path: /list, methods: [GET], application: some, permission: apps:write, upstream: hidden-service }
  - { name: place, path: "/places/{place}", methods: [PUT], application: any, permission: "places:{place}:write", upstream: hidden-service }
  - { name: body, path: /deploy, methods: [POST], application: "{app}", permission: apps:write, upstream: hidden-service, variables: { app: { json: /ApplicationKey } } }
  - { name: health, path: /healthz, access: public, upstream: hidden-service }
  - { name: renew, path: /renew, action: renew-token }
`;

function routes(): readonly Route[] {
  return parseConfig(CONFIG, 'published.yaml').config.routes;
}

async function thereAndBack(all: readonly Route[]): Promise<readonly Route[]> {
  const text = await routesText(all);
  expect(text).not.toBeNull();
  return routesFrom(text!);
}

/** Every method on every path, with and without what stands in the body. */
const CALLS = ['GET', 'POST', 'PUT', 'DELETE'].flatMap((method) =>
  [
    ...['/apps/CRM/x', '/APPS/crm', '/apps/other', '/crm', '/list', '/places/here', '/places/%20'],
    ...['/deploy', '/healthz', '/renew', '/nowhere'],
  ].flatMap((path) =>
    ['localhost', 'crm.example'].flatMap((host) =>
      [[], [{ name: 'app', value: 'CRM' }]].map((variables) => ({ method, path, host, variables })),
    ),
  ),
);

describe('routes as they are published', () => {
  it('explain every call as the routes themselves do', async () => {
    const [own, told] = [
      createRouteTable(routes()),
      createRouteTable(await thereAndBack(routes())),
    ];
    const policy = Policy.of(
      [role('writer', 'apps:*', 'places:here:write')],
      [team('sales', 'CRM')],
    );
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    const people = [
      account({ role: 'writer' }),
      account({ role: 'none', teams: [{ team: 'sales', role: 'writer' }] }),
      account({ role: 'writer', grants: [{ application: 'CRM', role: 'none' }] }),
      account({ status: 'inactive' }),
    ].map((one) => compilePrincipal(one));
    const verdicts = new Set<string>();
    for (const person of people)
      for (const call of CALLS) {
        const asked = { account: person, ...call };
        const answer = explain({ table: own, policy, clock }, asked);
        expect(explain({ table: told, policy, clock }, asked)).toEqual(answer);
        verdicts.add(answer.reason);
      }
    for (const reason of ['permitted', 'permission-denied', 'route-unknown', 'method-refused'])
      expect(verdicts).toContain(reason);
  });

  it('say nothing of where calls go and what goes with them', async () => {
    const headers = { set: [{ name: 'x-key', value: SECRET }], remove: [] } as never;
    const all = routes().map((route) => ({ ...route, headers }));
    expect(JSON.stringify(all)).toContain(SECRET);
    const told = JSON.stringify(await thereAndBack(all));
    for (const word of [SECRET, 'hidden-service', '10.9.8.7']) expect(told).not.toContain(word);
  });

  it('have the same digest where they are the same, and another one where they are not', async () => {
    const digest = async (all: readonly Route[]) => (await routesText(all))?.digest;
    const first = await digest(routes());
    expect(await digest(routes())).toBe(first);
    expect(await digest(routes().slice(1))).not.toBe(first);
    const weaker = routes().map((route) => ({
      ...route,
      permission: route.permission && 'apps:read',
    }));
    expect(await digest(weaker)).not.toBe(first);
  });

  it('are not published when they are too many', async () => {
    const [apps] = routes();
    const many = Array.from({ length: 6_000 }, (_, index) => ({
      ...apps!,
      name: `r${index}`,
      // What does not compress.
      path: `/apps/{application}/${randomBytes(150).toString('hex')}`,
    }));
    expect(await routesText(many)).toBeNull();
  });

  it.each([
    ['another text', async (text: string) => ({ text, digest: 'f'.repeat(64) }), 'of their digest'],
    ['no text at all', async () => ({ text: '####', digest: 'f'.repeat(64) }), 'unpacked'],
    [
      'a text that grows when it is unpacked',
      async () => ({
        text: deflateRawSync(Buffer.alloc(PUBLISHED_LIMITS.plainBytes + 1)).toString('base64'),
        digest: 'f'.repeat(64),
      }),
      'unpacked',
    ],
  ])('are not read from %s', async (_name, damaged, words) => {
    const { text } = (await routesText(routes()))!;
    await expect(routesFrom(await damaged(text))).rejects.toThrow(words);
  });
});
