import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ExportFile } from '../../../src/cli/export-file.ts';
import { barOf } from '../../../src/cli/progress.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-export-'));
  file = join(folder, 'out.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const begin = { wanted: 'all', since: '2030-01-01T00:00:00.000Z', until: null, startedMs: 1_000 };

it.each([false, true])('goes on after the last whole event, compressed: %s', (gzip) => {
  const first = new ExportFile(file, gzip, begin);
  first.add('one\ntwo\n', 2, 'next');
  first.close();
  // What a crash leaves behind: half a page that nothing says anything of.
  appendFileSync(`${file}.part`, 'thr');
  expect([existsSync(file), statSync(`${file}.part`).mode & 0o777]).toEqual([false, 0o600]);
  const second = new ExportFile(file, gzip, begin);
  expect(second.state).toMatchObject({ events: 2, cursor: 'next', whole: false });
  second.add('three\n', 1, null);
  expect(second.state.whole).toBe(true);
  second.finish();
  second.close();
  const bytes = readFileSync(file);
  expect((gzip ? gunzipSync(bytes) : bytes).toString()).toBe('one\ntwo\nthree\n');
  expect([existsSync(`${file}.part`), existsSync(`${file}.part.json`)]).toEqual([false, false]);
});

it('goes on with the same question only; so long ago is the same an hour later', () => {
  new ExportFile(file, false, begin).close();
  const hourLater = { ...begin, since: '2030-01-01T01:00:00.000Z', startedMs: 3_601_000 };
  new ExportFile(file, false, hourLater).close();
  for (const other of [
    { ...begin, wanted: 'other' },
    { ...begin, since: '2030-01-02T00:00:00.000Z' },
    { ...begin, until: '2030-01-02T00:00:00.000Z' },
  ])
    expect(() => new ExportFile(file, false, other)).toThrow('unfinished export of something else');
});

it('takes nothing that it has not made, and replaces nothing', () => {
  writeFileSync(`${file}.part`, 'somebody’s');
  expect(() => new ExportFile(file, false, begin)).toThrow('it is not known what it belongs to');
  rmSync(`${file}.part`);
  rmSync(`${file}.part.json`, { force: true });
  const mine = new ExportFile(file, false, begin);
  mine.add('one\n', 1, null);
  writeFileSync(file, 'came meanwhile');
  expect(() => mine.finish()).toThrow('exists by now');
  mine.close();
  expect(readFileSync(file, 'utf8')).toBe('came meanwhile');
  expect(() => new ExportFile(file, false, begin)).toThrow('exists already');
  rmSync(file);
  writeFileSync(`${file}.part`, '');
  expect(() => new ExportFile(file, false, begin)).toThrow('shorter than it was');
});

it('shows how far it has come', () => {
  expect([barOf(0), barOf(0.5), barOf(2)]).toEqual([
    `[${'.'.repeat(24)}]   0 %`,
    `[${'#'.repeat(12)}${'.'.repeat(12)}]  50 %`,
    `[${'#'.repeat(24)}] 100 %`,
  ]);
});
