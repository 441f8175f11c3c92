import { expect, it } from 'vitest';
import { limitsOf } from '../../../../src/admin/verification-words.ts';
import { verifyAudit } from '../../../../src/admin/verify-audit.ts';
import type { AuditScan } from '../../../../src/audit/port.ts';
import { type Head, LogInstance, makeLogKey, trimAnchor } from '../../../support/chained-log.ts';

const KEY = makeLogKey();
const BEGIN = Date.UTC(2026, 0, 1);
const iso = (seconds: number) => new Date(BEGIN + seconds * 1000).toISOString();
const keys = [{ key: KEY.id, publicKey: KEY.publicKey }];

function record(
  events: readonly string[],
  { heads = [], anchors = [] }: { heads?: readonly Head[]; anchors?: readonly unknown[] } = {},
): AuditScan {
  const json = (all: readonly unknown[]) => all.map((one) => JSON.stringify(one));
  return {
    scan: async () => ({ events: [...events], next: 'end', isEnd: true }),
    size: async () => events.length,
    heads: async () => json(heads),
    keys: async () => keys.map((key) => ({ ...key, instance: 'gate.1', time: iso(0) })),
    anchors: async () => json(anchors),
  };
}

function begun(name: string, second = 0, previous: Head | null = null) {
  return new LogInstance(name, KEY, previous, () => iso(second));
}

it('says what no key has signed, though each link of it holds', async () => {
  const forged = begun('gate.2');
  for (let at = 0; at < 200; at += 1) forged.call(at % 64 === 63);
  const trust = { keys, heads: [] };
  const result = await verifyAudit(record(forged.lines), { trust });
  expect(result).toMatchObject({ gaps: 0, edits: 0, heads: 0, unsigned: 201 });
  expect(limitsOf(result).join('\n')).toContain('201 events come after the last signed head');
});

it('counts as signed what comes before a head, and not what comes after it', async () => {
  const gate = begun('gate.1');
  for (let at = 0; at < 20; at += 1) gate.call();
  gate.sign();
  expect(await verifyAudit(record(gate.lines), {})).toMatchObject({ edits: 0, unsigned: 0 });
  for (let at = 0; at < 7; at += 1) gate.call(at === 3);
  expect(await verifyAudit(record(gate.lines), {})).toMatchObject({ edits: 0, unsigned: 7 });
});

it('names a predecessor that is gone as a whole with its head, and may not have been due', async () => {
  const before = begun('gate.1');
  before.sign('instance-ended');
  const after = begun('gate.2', 500, before.head);
  after.sign();
  const verified = (cutSecond: number) => {
    const anchors = [trimAnchor(after, iso(cutSecond), iso(cutSecond))];
    return verifyAudit(record(after.lines, { anchors }), {});
  };
  const young = await verified(300);
  expect(young).toMatchObject({ gaps: 0, edits: 0, unanchored: 1 });
  expect(young.fronts).toEqual([{ instance: 'gate.1', firstSeq: 3 }]);
  expect(await verified(500)).toMatchObject({ gaps: 0, edits: 0, unanchored: 0 });
});

it('lets calls pass between the signatures that whoever asks has brought', async () => {
  const gate = begun('gate.1');
  gate.sign();
  const heads = Array.from({ length: 2000 }, () => gate.head!);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await verifyAudit(record(gate.lines), { trust: { keys, heads } });
  isOver = true;
  expect(turns).toBeGreaterThan(30);
});

it('says of the changes of a registry, numbered or not, that nothing signs them', async () => {
  const result = await verifyAudit(record([]), {});
  const registry = { events: 0, first: null, newest: 0, unnumbered: 0 };
  const said = (events: number) =>
    limitsOf({ ...result, registry: { ...registry, events, unnumbered: events } }).join('\n');
  expect(said(0)).toContain('No numbered administrative change of 0 is there. Nothing signs');
  expect(said(4)).toContain('4 administrative changes have no number. Nothing signs');
});
