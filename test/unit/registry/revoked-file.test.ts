import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { REVOKED_FILES, readRevoked, writeRevoked } from '../../../src/registry/revoked/file.ts';
import { REVOKED_LIMITS, Revoked } from '../../../src/registry/revoked/revoked.ts';
import { account, digestOf, idOf, role } from '../../contract/registry-records.ts';

const AT = { epoch: 'epoch-1', seq: 9, tip: 'ab', tombstones: 2 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-revoked-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function seen(count: number): Revoked {
  const revoked = new Revoked();
  revoked.begin('epoch-1');
  for (let n = 0; n < count; n += 1) {
    const record = n % 2 === 0 ? null : account(n, { retired: [digestOf(n)] });
    revoked.note({ seq: n + 1, changes: [{ kind: 'account', key: idOf(n), record }] });
  }
  return revoked;
}

it.each([0, 3, REVOKED_LIMITS.accounts])(
  'comes back as it was written (%i accounts)',
  async (count) => {
    const known = seen(count);
    if (count === 3) {
      known.note({ seq: 8, changes: [{ kind: 'role', key: 'viewer', record: role('viewer') }] });
      known.note({ seq: 9, changes: [{ kind: 'team', key: 'crew', record: null }] });
    }
    const { facts } = known;
    await writeRevoked({ at: AT, facts }, folder, 'redis');
    expect(readRevoked(folder, 'redis')).toEqual({ at: AT, facts });
    expect(readdirSync(folder)).toEqual([REVOKED_FILES.redis]);
    expect(readRevoked(folder, 'embedded')).toBeNull();
  },
);

it('is not believed when it was cut short, damaged, or could be written by others', async () => {
  const path = join(folder, REVOKED_FILES.redis);
  await writeRevoked({ at: AT, facts: seen(3).facts }, folder, 'redis');
  const whole = readFileSync(path, 'utf8');
  for (const text of ['', '{}', whole.slice(0, -5), whole.split('\n').slice(0, 2).join('\n')]) {
    writeFileSync(path, text);
    expect(() => readRevoked(folder, 'redis'), text).toThrow();
  }
  writeFileSync(path, whole);
  expect(readRevoked(folder, 'redis')?.facts).toHaveLength(3);
  chmodSync(path, 0o622);
  expect(() => readRevoked(folder, 'redis')).toThrow('only its owner');
});
