import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { ConfigChange } from '../../../src/config/change.ts';
import { ConfigFaults } from '../../../src/config/faults.ts';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import { ConfigReloader, type ReloadOptions } from '../../../src/config/reload.ts';
import { folder } from './samples.ts';

interface Seen {
  readonly applied: { readonly next: LoadedConfig; readonly change: ConfigChange }[];
  readonly refused: unknown[];
  readonly reloader: ConfigReloader;
}

/** Watches a file. The poll is slow by default, so that what is seen was seen by its event. */
function follow(
  file: string,
  options: ReloadOptions = {},
  apply: () => void | Promise<void> = () => {},
): Seen {
  const applied: Seen['applied'] = [];
  const refused: unknown[] = [];
  const reloader = new ConfigReloader(
    loadConfig(file, options),
    { quietMs: 20, pollMs: 600_000, ...options },
    {
      apply: async (next, change) => {
        await apply();
        applied.push({ next, change });
      },
      refused: (fault) => refused.push(fault),
    },
  );
  onTestFinished(() => reloader.close());
  return { applied, refused, reloader };
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 10 });
}

it('takes over a file that was written in place', async () => {
  const file = join(folder({ 'a.yaml': 'realm: one' }), 'a.yaml');
  const { applied, reloader } = follow(file);
  writeFileSync(file, 'realm: two');
  await until(() => applied.length > 0);
  expect(applied[0]?.change).toEqual({ changed: ['realm'], needRestart: [], needApply: [] });
  expect(reloader.current.config.realm).toBe('two');
});

it('takes over a file that an editor replaced by a rename, again and again', async () => {
  const dir = folder({ 'a.yaml': 'realm: r0' });
  const file = join(dir, 'a.yaml');
  const { reloader } = follow(file);
  for (const realm of ['r1', 'r2', 'r3']) {
    writeFileSync(join(dir, '.a.yaml.swp'), `realm: ${realm}`);
    renameSync(join(dir, '.a.yaml.swp'), file);
    await until(() => reloader.current.config.realm === realm);
  }
});

it('takes over a ConfigMap whose ..data link was swapped', async () => {
  const dir = folder();
  const publish = (generation: string, realm: string) => {
    mkdirSync(join(dir, generation));
    writeFileSync(join(dir, generation, 'a.yaml'), `realm: ${realm}`);
    symlinkSync(generation, join(dir, '..data_tmp'));
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
  };
  publish('..2026_11_01', 'first');
  symlinkSync('..data/a.yaml', join(dir, 'a.yaml'));
  const { reloader } = follow(join(dir, 'a.yaml'));
  publish('..2026_11_02', 'second');
  rmSync(join(dir, '..2026_11_01'), { recursive: true });
  await until(() => reloader.current.config.realm === 'second');
  publish('..2026_11_03', 'third');
  await until(() => reloader.current.config.realm === 'third');
});

it('keeps the last good configuration when the new one is bad, says why, and takes the mended one', async () => {
  const file = join(folder({ 'a.yaml': 'realm: good' }), 'a.yaml');
  const { refused, reloader } = follow(file);
  writeFileSync(file, 'realm: bad\nreal: x');
  await until(() => refused.length > 0);
  expect(refused[0]).toBeInstanceOf(ConfigFaults);
  expect(String(refused[0])).toContain('a.yaml:2:1 real: unknown key (did you mean realm?)');
  expect(reloader.current.config.realm).toBe('good');
  writeFileSync(file, 'realm: mended');
  await until(() => reloader.current.config.realm === 'mended');
});

it('takes over a secret that rotates while a line of the configuration is wrong', async () => {
  const good = 'store: { kind: redis, url: "rediss://r", passwordFile: pw }\n';
  const dir = folder({ 'a.yaml': good, pw: 'one' });
  const { applied, refused, reloader } = follow(join(dir, 'a.yaml'));
  writeFileSync(join(dir, 'a.yaml'), `${good}real: wrong`);
  await until(() => refused.length > 0);
  writeFileSync(join(dir, 'pw'), 'two');
  await until(() => applied.length > 0);
  expect(applied[0]?.change.changed).toEqual(['store.password']);
  const { store } = reloader.current.config;
  expect(store.kind === 'redis' && store.password?.reveal()).toBe('two');
  // The line is not forgotten for it.
  await until(() => refused.length > 1);
  expect(String(refused.at(-1))).toContain('unknown key');
});

it('keeps the last good configuration when the file is emptied or taken away', async () => {
  const file = join(folder({ 'a.yaml': 'realm: good' }), 'a.yaml');
  const { applied, refused, reloader } = follow(file);
  writeFileSync(file, '');
  await until(() => refused.length === 1);
  rmSync(file);
  await until(() => refused.length === 2);
  expect(applied).toEqual([]);
  expect(reloader.current.config.realm).toBe('good');
  writeFileSync(file, 'realm: back');
  await until(() => reloader.current.config.realm === 'back');
});

it('names a key whose file holds something else', async () => {
  const dir = folder({
    'a.yaml': 'store: { kind: redis, url: "rediss://r", tls: { caFile: ca.pem } }',
    'ca.pem': 'x',
  });
  const { applied } = follow(join(dir, 'a.yaml'));
  writeFileSync(join(dir, 'ca.pem'), 'y');
  await until(() => applied.length > 0);
  expect(applied[0]?.change).toEqual({
    changed: ['store.tls.caFile'],
    needRestart: [],
    needApply: [],
  });
});

it('waits for a file that the new configuration names and that comes later', async () => {
  const dir = folder({ 'a.yaml': 'realm: a', 'sub.txt': '' });
  mkdirSync(join(dir, 'secrets'));
  const { applied, refused } = follow(join(dir, 'a.yaml'));
  writeFileSync(
    join(dir, 'a.yaml'),
    'store: { kind: redis, url: "rediss://r", passwordFile: secrets/pw }',
  );
  await until(() => refused.length > 0);
  writeFileSync(join(dir, 'secrets', 'pw'), 'x', { mode: 0o600 });
  await until(() => applied.length > 0);
});

it('reloads on SIGHUP, also when nothing changed', async () => {
  const { applied } = follow(join(folder({ 'a.yaml': 'realm: a' }), 'a.yaml'));
  process.kill(process.pid, 'SIGHUP');
  await until(() => applied.length > 0);
  expect(applied[0]?.change.changed).toEqual([]);
});

it('sees by looking what no event tells', async () => {
  const dir = folder({ 'a.yaml': 'realm: a' });
  const { reloader } = follow(join(dir, 'a.yaml'), { quietMs: 600_000, pollMs: 20 });
  writeFileSync(join(dir, 'a.yaml'), 'realm: b');
  await until(() => reloader.current.config.realm === 'b');
});

it('does nothing about other files in the folder', async () => {
  const dir = folder({ 'a.yaml': 'realm: a' });
  const { applied, refused, reloader } = follow(join(dir, 'a.yaml'));
  for (let i = 0; i < 5; i++) writeFileSync(join(dir, `other-${i}`), 'x');
  writeFileSync(join(dir, 'a.yaml'), 'realm: b');
  await until(() => reloader.current.config.realm === 'b');
  expect([applied.length, refused.length]).toEqual([1, 0]);
});

it('reloads one at a time, and once more for all that came meanwhile', async () => {
  let running = 0;
  let most = 0;
  const gates: (() => void)[] = [];
  const { applied, reloader } = follow(
    join(folder({ 'a.yaml': 'realm: a' }), 'a.yaml'),
    {},
    async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => gates.push(resolve));
      running--;
    },
  );
  for (let i = 0; i < 10; i++) reloader.reload();
  await until(() => gates.length === 1);
  gates[0]!();
  await until(() => gates.length === 2);
  gates[1]!();
  await until(() => applied.length === 2);
  await reloader.close();
  expect([most, gates.length]).toEqual([1, 2]);
});

it('counts a reload as refused when it could not be applied', async () => {
  const file = join(folder({ 'a.yaml': 'realm: a' }), 'a.yaml');
  const { refused, reloader } = follow(file, {}, () => {
    throw new Error('no room');
  });
  writeFileSync(file, 'realm: b');
  await until(() => refused.length > 0);
  expect(String(refused[0])).toContain('no room');
  expect(reloader.current.config.realm).toBe('a');
});

it('says which changes need a restart', async () => {
  const dir = folder({ pw: 'one' });
  const file = join(dir, 'a.yaml');
  const write = (realm: string, port: number, extra: string) =>
    writeFileSync(
      file,
      `realm: ${realm}\nlisten: { proxy: { address: "127.0.0.1:${port}", plaintext: true } ${extra} }\nstore: { kind: redis, url: "rediss://r", passwordFile: pw }`,
    );
  write('a', 1, '');
  const { applied } = follow(file);
  writeFileSync(join(dir, 'pw'), 'two');
  write('b', 2, ', ops: {}');
  await until(() => applied.length > 0);
  expect(applied[0]?.change).toEqual({
    changed: ['listen.proxy.address.port', 'listen.ops', 'store.password', 'realm'],
    needRestart: ['listen.proxy.address.port', 'listen.ops'],
    needApply: [],
  });
});

it('hears nothing more once it is closed', async () => {
  const file = join(folder({ 'a.yaml': 'realm: a' }), 'a.yaml');
  const { applied, reloader } = follow(file);
  await reloader.close();
  expect(process.listeners('SIGHUP')).toEqual([]);
  writeFileSync(file, 'realm: b');
  reloader.reload();
  expect(applied).toEqual([]);
});
