import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fileOutput } from '../../../../src/telemetry/access/output.ts';

/** A pipe that has a name: a write of more than it holds ends when this test reads it. */
function slowFile() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-output-'));
  const path = join(folder, 'access.log');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, 'r+');
  onTestFinished(() => {
    closeSync(reader);
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    read(bytes: number) {
      const buffer = Buffer.alloc(64 * 1024);
      for (let left = bytes; left > 0; )
        left -= readSync(reader, buffer, 0, Math.min(left, buffer.length), null);
    },
    /** Descriptors of it besides the reader. */
    open: () =>
      readdirSync('/proc/self/fd').filter((one) => {
        try {
          return readlinkSync(`/proc/self/fd/${one}`) === path;
        } catch {
          return false; // the listing's own
        }
      }).length - 1,
  };
}

it.each(['opened anew', 'closed'])(
  'a file that is %s during a write keeps its descriptor until that has ended',
  async (how) => {
    const { path, read, open } = slowFile();
    const output = fileOutput(path);
    const text = Buffer.alloc(1024 * 1024, 'x');
    const written = new Promise<Error | null>((resolve) => output.write(text, resolve));
    if (how === 'closed') output.close();
    else output.reopen();
    // What would have closed it has had its turn by then.
    for (let turn = 0; turn < 20; turn += 1) await stat(path);
    expect(open()).toBe(how === 'closed' ? 1 : 2);
    read(text.length);
    expect(await written).toBeNull();
    if (how === 'opened anew') output.close();
    await expect.poll(open, { timeout: 30_000 }).toBe(0);
  },
);

it('a file that was closed takes nothing more', async () => {
  const { path } = slowFile();
  const output = fileOutput(path);
  output.close();
  const fault = await new Promise<Error | null>((resolve) => output.write(Buffer.of(1), resolve));
  expect(fault).not.toBeNull();
});
