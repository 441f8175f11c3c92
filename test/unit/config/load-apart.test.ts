import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadChecked } from '../../../src/cli/load.ts';
import { loadApart } from '../../../src/cli/load-apart.ts';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-load-'));
const example = join(import.meta.dirname, '../../../config/sallyport.yaml');
beforeAll(() => ensureLocalCertificate(folder, Date.now()));
afterAll(() => rmSync(folder, { recursive: true }));

it('reads the same on a thread of its own, while this one goes on', async () => {
  const file = join(folder, 'sallyport.yaml');
  copyFileSync(example, file);
  let turns = 0;
  let goesOn = true;
  setImmediate(function look() {
    turns += 1;
    if (goesOn) setImmediate(look);
  });
  const loaded = await loadApart(file);
  goesOn = false;
  expect(loaded).toEqual(loadChecked(file));
  expect(loaded.config.routes.length).toBeGreaterThan(0);
  expect(turns).toBeGreaterThan(1);
});

it('tells all faults with their places, and the files that may mend them', async () => {
  const file = join(folder, 'faulty.yaml');
  writeFileSync(file, 'store: { kind: embeded }\nlimits: { headBytes: -1 }\nports: 1\n');
  const faults = await loadApart(file).catch((fault: unknown) => fault);
  let here: unknown = null;
  try {
    loadChecked(file);
  } catch (fault) {
    here = fault;
  }
  expect(here).not.toBeNull();
  expect(faults).toEqual(here);
});

it('tells of a file that is not there', async () => {
  await expect(loadApart(join(folder, 'none.yaml'))).rejects.toMatchObject({
    name: 'ConfigFaults',
  });
});
