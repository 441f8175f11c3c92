import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MARKER_FILES, ServedRegistry } from '../../../src/registry/served.ts';

const [FIRST, OTHER] = [
  '0b1d3c5a-7e9f-4a2b-8c4d-6e8f0a1b2c3d',
  '1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f',
];

describe('the registry that a data folder has served', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-served-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const marker = () => join(folder, MARKER_FILES.redis);
  const open = (more: { remembers?: boolean; held?: boolean } = {}) =>
    new ServedRegistry({ folder, store: 'redis', remembers: true, ...more });

  it('is the first one, from then on and in every process', () => {
    open().assert(FIRST);
    expect(readFileSync(marker(), 'utf8')).toBe(`${FIRST}\n`);
    expect(statSync(marker()).mode & 0o777).toBe(0o600);
    expect(() => open().assert(FIRST)).not.toThrow();
    expect(() => open().assert(OTHER)).toThrow(
      expect.objectContaining({ why: 'foreign', message: expect.stringContaining(OTHER) }),
    );
  });

  it('tells a store that was emptied from one that has never held a registry', () => {
    const served = open();
    expect(() => served.assert(null)).toThrow(expect.objectContaining({ why: 'empty' }));
    served.assert(FIRST);
    for (const one of [served, open()])
      expect(() => one.assert(null)).toThrow(expect.objectContaining({ why: 'foreign' }));
  });

  it('is another one once it was adopted, also by another process', () => {
    const served = open();
    served.assert(FIRST);
    open({ remembers: false }).adopt(OTHER);
    expect(() => served.assert(OTHER)).not.toThrow();
    expect(() => served.assert(FIRST)).toThrow(expect.objectContaining({ why: 'foreign' }));
  });

  it('stays known to a running instance whose marker is removed', () => {
    const served = open();
    served.assert(FIRST);
    rmSync(marker());
    expect(() => served.assert(OTHER)).toThrow(expect.objectContaining({ why: 'foreign' }));
  });

  it.each(['', 'FIRST', `${FIRST}x`, '\0\0\0'])('is nobody when its marker says %j', (text) => {
    writeFileSync(marker(), text);
    for (const found of [FIRST, null])
      expect(() => open().assert(found)).toThrow(
        expect.objectContaining({ why: 'foreign', message: expect.stringContaining(marker()) }),
      );
    open().adopt(FIRST);
    expect(() => open().assert(FIRST)).not.toThrow();
  });

  it('does not take a store that has lost changes, until its state is adopted', () => {
    const served = open();
    served.assert(FIRST);
    served.reached(7, 1);
    for (const one of [served, open()]) {
      expect(() => one.assertReached(7, 1)).not.toThrow();
      expect(() => one.assertReached(8, 2)).not.toThrow();
      expect(() => one.assertReached(6, 1)).toThrow(expect.objectContaining({ why: 'damaged' }));
      expect(() => one.assertReached(7, 2)).toThrow(expect.objectContaining({ why: 'damaged' }));
    }
    open().adopt(FIRST);
    expect(() => served.assertReached(6, 1)).not.toThrow();
    expect(() => served.assert(FIRST)).not.toThrow();
  });

  it('writes nothing for who only looks on', () => {
    open({ remembers: false }).assert(FIRST);
    expect(existsSync(marker())).toBe(false);
  });

  it('is remembered in a folder that held one before there were markers', () => {
    expect(() => open({ held: true }).assert(null)).toThrow(
      expect.objectContaining({ why: 'foreign' }),
    );
    open({ held: true }).assert(FIRST);
    expect(existsSync(marker())).toBe(true);
  });

  it('counts only where it could be written down', () => {
    const served = new ServedRegistry({
      folder: join(folder, 'gone'),
      store: 'redis',
      remembers: true,
    });
    expect(() => served.assert(FIRST)).toThrow(expect.objectContaining({ why: 'refused' }));
  });
});
