import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram, type Upstream } from './upstream.ts';

const READY_MS = 10_000;

/**
 * Python's own `http.server` with the folder under `/files/`: HTTP/1.0 answers, one connection per
 * request. It knows GET and HEAD only; it takes no uploads and answers a POST with 501. Throws when
 * it does not come up.
 */
export async function startPythonServer(folder: string): Promise<Upstream> {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-python-'));
  symlinkSync(folder, join(home, 'files'));
  const program = startProgram('python3', [
    '-u',
    '-m',
    'http.server',
    '0',
    '--bind',
    '127.0.0.1',
    '--directory',
    home,
  ]);
  const stop = async () => {
    await program.stop();
    rmSync(home, { recursive: true, force: true });
  };
  // It logs every request there; a full pipe would stop it.
  program.child.stderr?.resume();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let said = '';
  program.child.stdout?.on('data', (chunk) => {
    said += chunk;
    const port = / port (\d+) /.exec(said)?.[1];
    if (port !== undefined) resolve(Number(port));
  });
  program.child.once('error', reject);
  program.child.once('exit', () => reject(new Error('http.server does not start')));
  const timer = setTimeout(() => reject(new Error(`http.server is not ready: ${said}`)), READY_MS);
  try {
    return { url: `http://127.0.0.1:${await promise}`, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
