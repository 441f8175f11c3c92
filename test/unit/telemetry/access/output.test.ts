import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fileOutput, NoFile } from '../../../../src/telemetry/access/output.ts';

/** A pipe that has a name: a write of more than it holds ends when this test reads it. */
function slowFile() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-output-'));
  const path = join(folder, 'access.log');
  execFileSync('mkfifo', [path]);
  let reader: number | null = openSync(path, 'r+');
  const leave = () => {
    if (reader !== null) closeSync(reader);
    reader = null;
  };
  onTestFinished(() => {
    leave();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    leave,
    output: () => fileOutput(path, () => openSync(path, 'a')),
    read(bytes: number) {
      const buffer = Buffer.alloc(64 * 1024);
      for (let left = bytes; left > 0; )
        left -= readSync(reader!, buffer, 0, Math.min(left, buffer.length), null);
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
    const { path, read, open, output: begin } = slowFile();
    const output = begin();
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
  const output = slowFile().output();
  output.close();
  const fault = await new Promise<Error | null>((resolve) => output.write(Buffer.of(1), resolve));
  expect(fault).not.toBeNull();
});

it.each([true, false])('is no pipe, which could wait for its reader (it has one: %s)', (isRead) => {
  const { path, leave, open } = slowFile();
  if (!isRead) leave();
  expect(() => fileOutput(path)).toThrow(NoFile);
  expect(open()).toBe(isRead ? 0 : -1);
});

it('is no socket, and may be a device', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-output-'));
  const server = createServer().listen(join(folder, 'socket'));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  await once(server, 'listening');
  expect(() => fileOutput(join(folder, 'socket'))).toThrow(NoFile);
  const output = fileOutput('/dev/null');
  expect(await new Promise((resolve) => output.write(Buffer.of(1), resolve))).toBeNull();
  output.close();
});

it('goes on in the former file where a pipe has taken its name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-output-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'access.log');
  const output = fileOutput(path);
  renameSync(path, `${path}.1`);
  execFileSync('mkfifo', [path]);
  expect(() => output.reopen()).toThrow(NoFile);
  await new Promise((resolve) => output.write(Buffer.from('line\n'), resolve));
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('line\n');
  output.close();
});
