import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const MODULE = new URL('../../../src/telemetry/standard-error.ts', import.meta.url).href;

/** A process that writes so many lines of 1 KiB, says `done`, and ends. */
function writer(lines: number) {
  const program = `
    import { endStandardError, standardError } from ${JSON.stringify(MODULE)};
    const write = standardError();
    for (let i = 0; i < ${lines}; i += 1) write('x'.repeat(1023) + '\\n');
    endStandardError();
    console.log('done');`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

it('waits for nobody: a reader who stands still holds up neither the work nor the end', async () => {
  const child = writer(4096);
  // Nothing reads its standard error.
  const [said] = await once(child.stdout, 'data');
  expect(String(said)).toBe('done\n');
  expect(await once(child, 'exit')).toEqual([0, null]);
  child.stderr.destroy();
});

it('gives a reader who reads every line', async () => {
  const child = writer(200);
  let bytes = 0;
  child.stderr.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(bytes).toBe(200 * 1024);
});
