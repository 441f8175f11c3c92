/**
 * `npm run prove -- event-loop [ACCOUNTS]`: how long administrative work holds up calls. A gate
 * with a large registry, many routes and a long record does each kind of work in turn; told is the
 * longest single turn of its event loop meanwhile, in processor time, beside a call every few
 * milliseconds. With 50,000 accounts or more it writes the table into docs/SCALE.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { planDeclaration } from '../../src/admin/declaration.ts';
import { connectOwner, type RemoteControl } from '../../src/admin/owner-client.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { account } from '../contract/registry-records.ts';
import { type AdminScene, openAdminScene } from '../support/admin-scene.ts';
import { owner } from '../support/gateway.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const LIMIT_MS = 20;
const ROUTES = 1_000;
const DECLARED = 10_000;
const IMPORTED = 1_024;
const IMPORT_BATCH = 64;
const PARALLEL = 20;
const DOCUMENTED = 50_000;
const accounts = Number(process.argv[2] ?? DOCUMENTED);
const only = process.argv[3] ?? '';
/** As many roles and teams as there may be; a team with as many members as may be judged. */
const SCENE = { accounts, roles: 490, teams: 1_990, routes: ROUTES, events: 50_000 };

/** What is asked for in one kind of work, by its name. */
type Work = readonly (readonly [string, () => Promise<unknown>])[];

const found = new Map<string, Record<string, string>>();
let longestOfAllMs = 0;

await onStore('embedded', null, 1);
const missing = redisMissing();
if (missing === null) {
  await onRedis('Redis', 1);
  await onRedis('Redis, two workers', 2);
} else console.log(`Redis: skipped, ${missing}`);
const stores = ['embedded', ...(missing === null ? ['Redis', 'Redis, two workers'] : [])];
const table = [
  conditions(
    `npm run prove -- event-loop ${accounts}`,
    `${accounts} accounts, ${SCENE.roles} roles, ${SCENE.teams} teams, ${ROUTES} routes, ${SCENE.events} events; the longest turn of the event loop, in processor time`,
  ),
  '',
  `| work | ${stores.join(' | ')} |`,
  `| --- |${' --- |'.repeat(stores.length)}`,
  ...[...found].map(
    ([what, by]) => `| ${what} | ${stores.map((store) => by[store] ?? '').join(' | ')} |`,
  ),
].join('\n');
console.log(table);
console.log(`the longest turn took ${longestOfAllMs.toFixed(1)} ms`);
if (accounts >= DOCUMENTED && missing === null && only === '') writeSection('event-loop', table);
if (longestOfAllMs > LIMIT_MS) process.exitCode = 1;

async function onRedis(name: string, workers: number): Promise<void> {
  const server = await startRedis();
  await onStore(name, server.url, workers);
  await server.stop();
}

async function onStore(name: string, redisUrl: string | null, workers: number): Promise<void> {
  if (!name.startsWith(only)) return;
  const beganMs = performance.now();
  const scene = await openAdminScene({ ...SCENE, redisUrl, workers });
  console.log(`${name}: ready after ${((performance.now() - beganMs) / 1e3).toFixed(0)} s`);
  try {
    // Each route has its figures.
    for (let n = 0; n < ROUTES; n += 1) await expect(200, scene.call(`/part-${n}/x`));
    await measure(scene, name, 'nothing but calls', () => sleep(2_000));
    for (const [what, work] of worksOf(scene)) await measure(scene, name, what, work);
    const own = redisUrl === null ? await connectOwner(scene.dataDir) : null;
    for (const [what, work] of own === null ? [] : ownedWorks(own))
      await measure(scene, name, what, work);
    own?.close();
  } finally {
    await scene.stop();
  }
}

async function measure(
  scene: AdminScene,
  store: string,
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const turns = await scene.turns(async () => {
    let goesOn = true;
    const calls = (async () => {
      while (goesOn) {
        await expect(200, scene.call('/part-1/x'));
        await sleep(5);
      }
    })();
    const done = work().finally(() => {
      goesOn = false;
    });
    await Promise.all([calls, done]);
  });
  const longestMs = Math.max(...turns.map((one) => one.longestMs));
  const over = turns.reduce((sum, one) => sum + one.over, 0);
  longestOfAllMs = Math.max(longestOfAllMs, longestMs);
  console.log(`${store}: ${what}: ${longestMs.toFixed(1)} ms, ${over} turns over ${LIMIT_MS} ms`);
  for (const { functions } of turns) for (const line of functions) console.log(`    ${line}`);
  found.set(what, { ...found.get(what), [store]: `${longestMs.toFixed(0)} ms` });
}

/** Through the admin listener and the port for operations. */
function worksOf(scene: AdminScene): Work {
  const get = (path: string) => expect(200, scene.api('GET', path));
  const page = (path: string) => expect(200, scene.browser.get(path));
  const lists = [
    'search=account&sort=lastUsed',
    'role=role-7&sort=name',
    'status=active&sort=expiresAt',
    'neverUsed=true',
    'expiringWithinDays=30&sort=expiresAt',
    'unusedForDays=90&sort=lastUsed',
    'team=team-3&role=role-4',
    'namePrefix=account-4&sort=updatedAt',
    'tokenOlderThanDays=30&sort=tokenCreatedAt',
    'search=nightly&status=active',
  ];
  return [
    [
      `${PARALLEL} filtered lists at once`,
      () =>
        Promise.all(
          Array.from({ length: PARALLEL }, (_, n) =>
            get(`/service-accounts?limit=100&${lists[n % lists.length]}`),
          ),
        ),
    ],
    ['roles', () => get('/roles')],
    ['teams', () => get('/teams')],
    ['page Roles', () => page('/roles')],
    ['page Teams', () => page('/teams')],
    ['page Users', () => page('/users')],
    ['page Service Accounts', () => page('/service-accounts')],
    ['Worth a look', () => page('/')],
    ['a page of activity, filtered', () => get('/activity?limit=500&reason=route-unknown')],
    ['page Activity, filtered', () => page('/activity?reason=route-unknown')],
    ['export of the activity', () => page('/activity/export')],
    [
      'a role that many have, and a team, changed',
      async () => {
        const permissions = ['test:part-1', 'test:part-2'];
        await expect(200, scene.api('PATCH', '/roles/role-1', { permissions }));
        await expect(200, scene.api('PATCH', '/teams/team-1', { applications: ['app-1', 'new'] }));
      },
    ],
    [
      '/metrics',
      async () => {
        const text = await scene.ops('/metrics');
        if (text.split('\n').length < 20 * ROUTES) throw new Error('there are too few lines');
      },
    ],
    ['reload', () => scene.reload(ROUTES + 1)],
  ];
}

/** Through the owner's socket. */
function ownedWorks({ control }: RemoteControl): Work {
  const { administration } = control;
  return [
    [
      'registry export',
      async () => {
        let cursor: string | null = null;
        do {
          const page: { readonly next: string | null } = await administration.exportRecords(owner, {
            cursor,
          });
          cursor = page.next;
        } while (cursor !== null);
      },
    ],
    [
      `registry import of ${IMPORTED} accounts`,
      async () => {
        for (let from = 0; from < IMPORTED; from += IMPORT_BATCH) {
          const records = Array.from({ length: IMPORT_BATCH }, (_, n) => ({
            kind: 'account' as const,
            text: recordText(accounts + from + n),
          }));
          await administration.findRevived(owner, { records });
          const { done } = await administration.importRecords(owner, { records });
          if (done !== records.length) throw new Error(`only ${done} were imported`);
        }
      },
    ],
    ['registry verify', () => administration.registryVerify(owner, {})],
    [
      `apply of ${DECLARED} accounts`,
      async () => {
        const serviceAccounts = Array.from({ length: DECLARED }, (_, n) => ({
          name: n % 100 === 0 ? `declared-${n}` : `${n % 50 === 49 ? 'other' : 'account'}-${n}`,
          description: '',
          role: 'role-1',
          teams: [],
          grants: [],
          status: 'active' as const,
          expiresAt: null,
          allowedNetworks: [],
          boundTo: null,
        }));
        const wanted = serviceAccounts.filter(({ name }) => name.startsWith('declared'));
        const declared = { roles: [], teams: [], serviceAccounts };
        await planDeclaration(administration, owner, declared);
        await administration.applyDeclaration(owner, { ...declared, serviceAccounts: wanted });
      },
    ],
    [
      'the newest 500 events',
      () => administration.activityPage(owner, { account: null, limit: 500 }),
    ],
  ];
}

function recordText(n: number): string {
  return withVersion(encodeRecord(account(n, { role: 'role-1' })), 1);
}

async function expect(status: number, asked: Promise<number | { readonly status: number }>) {
  const answer = await asked;
  const is = typeof answer === 'number' ? answer : answer.status;
  if (is !== status) throw new Error(`${is} and not ${status}: ${JSON.stringify(answer)}`);
}
