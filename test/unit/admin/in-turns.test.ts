import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import { storeOwner } from '../../../src/admin/actor.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { systemClock } from '../../../src/clock.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import { PolicyReader } from '../../../src/registry/policy-reader.ts';
import { account, commitOf, role, team } from '../../contract/registry-records.ts';
import { together } from '../../support/admin-scene.ts';

const ACCOUNTS = 2_048;
const ROLES = 400;
const LISTS = 20;
const folder = mkdtempSync(join(tmpdir(), 'sallyport-turns-'));
const store = openEmbeddedRegistry(join(folder, 'registry.db'));
const administration = createAdministration({ store, clock: systemClock, instance: null });
const owner = storeOwner('test', 'command-line');
const administrator = { ...owner, permissions: compilePermissions(['*', 'sallyport:*']) };

beforeAll(async () => {
  const roles = Array.from({ length: ROLES }, (_, n) => role(`role-${n}`));
  await store.initialise([role('viewer'), ...roles]);
  const crew = team('crew', ['crm']);
  await store.commit(commitOf([{ kind: 'team', key: 'crew', record: crew }]));
  const teams = [{ team: 'crew', role: 'viewer' }];
  for (let from = 0; from < ACCOUNTS; from += 256)
    await store.commit(
      together(
        Array.from({ length: 256 }, (_, n) =>
          account(from + n, { teams: from + n < 900 ? teams : [] }),
        ),
      ),
    );
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** How often the loop turned while it was done: what else waited got so many chances. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let goesOn = true;
  setImmediate(function look() {
    turns += 1;
    if (goesOn) setImmediate(look);
  });
  await work();
  goesOn = false;
  return turns;
}

it('makes lists that are asked for at once one slice after the other', async () => {
  const list = () =>
    administration.listAccounts(owner, { status: 'active', sort: 'updatedAt', limit: 200 });
  const one = await turnsDuring(list);
  const all = await turnsDuring(() => Promise.all(Array.from({ length: LISTS }, list)));
  // Blocks read, blocks judged, and the records of the page in four slices.
  expect(one).toBeGreaterThanOrEqual(6);
  expect(all).toBeGreaterThanOrEqual(LISTS * 6);
});

it('exports a hundred accounts in a turn where a gate does it', async () => {
  const gate = createAdministration({ store, clock: systemClock, instance: 'edge' });
  let cursor: string | null = null;
  let records = 0;
  const turns = await turnsDuring(async () => {
    do {
      const page: Awaited<ReturnType<typeof gate.exportRecords>> = await gate.exportRecords(owner, {
        cursor,
      });
      records += page.records.length;
      cursor = page.next;
    } while (cursor !== null);
  });
  expect(records).toBe(ACCOUNTS + ROLES + 2);
  expect(turns).toBeGreaterThanOrEqual(records / 100);
});

it('imports a batch in several steps where a gate does it, with turns between them', async () => {
  const gate = createAdministration({ store, clock: systemClock, instance: 'edge' });
  const records = Array.from({ length: 64 }, (_, n) => ({
    kind: 'account' as const,
    text: withVersion(encodeRecord(account(ACCOUNTS + n)), 1),
  }));
  const { seq } = await store.snapshot();
  const turns = await turnsDuring(async () => {
    const answer = await gate.importRecords(owner, { records });
    expect(answer).toEqual({ done: 64, changed: 64, refusal: null });
  });
  const steps = (await store.snapshot()).seq - seq;
  expect(steps).toBe(4);
  expect(turns).toBeGreaterThanOrEqual(2 * steps);
});

it('judges the members of a team in slices', async () => {
  const turns = await turnsDuring(() =>
    administration.editTeam(administrator, { name: 'crew', applications: ['crm', 'erp'] }),
  );
  expect(turns).toBeGreaterThanOrEqual(900 / 25);
});

it('decodes roles in slices, and the same text once', async () => {
  const rows = Array.from({ length: 3 * ROLES }, (_, n): [string, string] => {
    const record = role(`role-${n}`);
    return [record.name, withVersion(encodeRecord(record), 1)];
  });
  const reader = new PolicyReader();
  const read = () => reader.read({ epoch: 'e', seq: 1 }, rows, []);
  expect(await turnsDuring(read)).toBeGreaterThanOrEqual(rows.length / 200 - 1);
  const { roles } = await read();
  rows[7] = ['role-7', withVersion(encodeRecord(role('role-7', ['b:read'])), 2)];
  const after = (await read()).roles;
  expect(after[7]?.permissions).toEqual(['b:read']);
  expect(after[8]).toBe(roles[8]);
});
