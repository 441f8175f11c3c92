import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { InstancesView } from '../../../src/admin/instances.ts';
import type { AuditVerification } from '../../../src/admin/verify-audit.ts';
import { keyIdOf } from '../../../src/audit/verify/keys.ts';
import { freePort } from '../../support/free-port.ts';
import { Shell } from '../../support/shell.ts';

const CALLS = 10;

describe('the proof of the record on the command line', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  let gate: ReturnType<Shell['start']>;
  let instance = '';

  beforeAll(async () => {
    const [proxy, ops] = [await freePort(), await freePort()];
    shell.write(
      'sallyport.yaml',
      `
instance: { name: test, dataDir: ./store, lameDuckMs: 0 }
listen:
  proxy: { address: "127.0.0.1:${proxy}", plaintext: true }
  ops: { address: "127.0.0.1:${ops}" }
store: { kind: embedded }
upstreams: { api: { addresses: ["http://127.0.0.1:9"] } }
routes:
  - { name: read, path: "/apps/**", methods: [GET], application: any, permission: apps:read, upstream: api }
`,
    );
    gate = shell.start('serve', ...store);
    await vi.waitFor(() => expect(gate.err()).toContain('the gate is open'), 50_000);
    await shell.json('role', 'create', 'reader', '--permission', 'apps:read', ...store);
    const words = ['account', 'create', 'ci', '--role', 'reader', ...store];
    const { token } = await shell.json<{ token: string }>(...words);
    const headers = { authorization: `Bearer ${token}` };
    for (let n = 0; n < CALLS; n += 1)
      await (await fetch(`http://127.0.0.1:${proxy}/apps/${n}`, { headers })).arrayBuffer();
  });
  afterAll(() => shell.close());

  const verify = (...words: string[]) => shell.run('audit', 'verify', ...words);
  const lines = () => readFileSync(shell.path('all.jsonl'), 'utf8').trimEnd().split('\n');

  it('follows the record of the running gate, with metrics', async () => {
    const following = shell.start('audit', 'verify', '--follow', '--metrics', '0', ...store);
    await vi.waitFor(
      () => expect(following.err()).toMatch(/0 gaps, 0 edits in \d+ events/),
      30_000,
    );
    const url = /Metrics: (http:\/\/127\.0\.0\.1:\d+\/metrics)/.exec(following.err())?.[1] ?? '';
    const metrics = await (await fetch(url)).text();
    expect(metrics).toContain('sallyport_audit_gaps_total 0');
    expect(metrics).toMatch(/sallyport_audit_verified_timestamp_seconds \d{10}/);
    expect((await fetch(new URL('/', url))).status).toBe(404);
    following.process.kill('SIGTERM');
    expect(await following.ended).toBe(0);
    expect(await verify('--metrics', '0', ...store)).toMatchObject({ code: 2 });
    expect(await verify('--follow', '--metrics', 'x:y', ...store)).toMatchObject({ code: 2 });
  });

  it('asks the running gate, and reads the store once that has ended', async () => {
    const trusting = ['--write-trust', 'running.json', ...store];
    const running = await verify(...trusting);
    expect(running.out, running.err).toMatch(/^0 gaps, 0 edits in \d+ events; instances: \d+\n$/);
    expect(running).toMatchObject({ code: 0, err: expect.stringContaining('Without --trust') });
    for (const drawn of ['\r', '[#', '[.']) expect(running.err).not.toContain(drawn);
    expect(await verify(...trusting)).toMatchObject({ code: 2, out: '' });
    expect(await verify('--trust', 'running.json', ...store)).toMatchObject({ code: 0 });

    await vi.waitFor(async () => {
      const { items } = await shell.json<InstancesView>('instances', ...store);
      const key = /"key": "([0-9a-f]{16})"/.exec(readFileSync(shell.path('running.json'), 'utf8'));
      expect(items).toMatchObject([{ auditKey: key?.[1] }]);
    }, 30_000);

    gate.process.kill('SIGTERM');
    expect(await gate.ended).toBe(0);
    const ended = await verify('--trust', 'running.json', ...store);
    expect(ended).toMatchObject({ code: 0, out: expect.stringContaining('0 gaps, 0 edits') });
    expect(ended.err).not.toContain('Without --trust');
    const told = await shell.json<AuditVerification>('audit', 'verify', ...store);
    expect(told).toMatchObject({ gaps: 0, edits: 0, findings: [], unanchored: 0 });
    expect(told.events).toBeGreaterThan(2 * CALLS);
  });

  it('reads an export, also gzipped, and names the event that was taken out', async () => {
    await shell.json('audit', 'export', 'all.jsonl', ...store);
    const whole = lines();
    writeFileSync(shell.path('all.jsonl.gz'), gzipSync(`${whole.join('\n')}\n`));
    for (const file of ['all.jsonl', 'all.jsonl.gz'])
      expect(await verify(file, '--trust', 'running.json')).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^0 gaps, 0 edits/),
      });
    const taken = whole.find((line) => line.includes('"seq":9,')) ?? '';
    instance = (JSON.parse(taken) as { instance: string }).instance;
    const rest = whole.filter((line) => line !== taken);
    writeFileSync(shell.path('hole.jsonl'), `${rest.join('\n')}\n`);
    const hole = await verify('hole.jsonl');
    expect(hole).toMatchObject({ code: 1, err: expect.stringContaining('1 gaps, 0 edits') });
    expect(hole.out).toContain(`missing: event 9 of ${instance} is missing`);
    const cut = gzipSync(whole.join('\n')).subarray(0, -20);
    writeFileSync(shell.path('cut.gz'), cut);
    expect(await verify('cut.gz')).toMatchObject({
      code: 2,
      err: expect.stringContaining('cut.gz'),
    });
    expect((await verify('none.gz')).code).toBe(2);
  });

  it('reads a spool, and refuses a folder that holds none', async () => {
    mkdirSync(shell.path('empty/spool'), { recursive: true });
    const empty = await verify('empty');
    expect(empty).toMatchObject({ code: 0, out: expect.stringMatching(/^0 gaps, 0 edits in 0/) });
    expect(empty.err).toContain('A spool holds what the store had not accepted');
    mkdirSync(shell.path('no-spool'));
    const none = await verify('no-spool');
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('holds no spool') });
    expect((await verify('nowhere')).code).toBe(2);
  });

  it('says which events nothing proves to be there or cut', async () => {
    const rest = lines().filter((line) => !/"seq":[1-4],/.test(line));
    writeFileSync(shell.path('later.jsonl'), `${rest.join('\n')}\n`);
    const later = await verify('later.jsonl');
    expect(later.code, later.out + later.err).toBe(0);
    expect(later.err).toContain(
      `Events before 5 of ${instance} are not there: retention, or somebody`,
    );
  });

  it('tells of a front that was taken from the store, and that nobody has signed', async () => {
    const db = new DatabaseSync(shell.path('store/audit.db'));
    db.exec('DELETE FROM events WHERE event LIKE \'%"seq":_,%\' AND event NOT LIKE \'%"seq":9,%\'');
    db.close();
    const taken = await verify(...store);
    expect(taken).toMatchObject({ code: 1, err: expect.stringContaining('gaps, 0 edits') });
    expect(taken.out).toContain(
      `anchor-missing: events 1 to 8 of ${instance} are missing at the front`,
    );
  });

  it('refuses keys that the trust file does not hold, and a file that is none', async () => {
    const { publicKey: made } = generateKeyPairSync('ed25519');
    const publicKey = made.export({ type: 'spki', format: 'der' }).toString('base64url');
    const trust = { keys: [{ key: keyIdOf(publicKey), publicKey }], heads: [] };
    shell.write('foreign.json', JSON.stringify(trust));
    const foreign = await verify('--trust', 'foreign.json', ...store);
    expect(foreign).toMatchObject({ code: 1, out: expect.stringContaining('foreign-key: ') });
    shell.write('broken.json', '{');
    expect((await verify('--trust', 'broken.json', ...store)).code).toBe(2);
  });
});
