import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Listening, listening } from './plain-service.ts';

/*
 * Registries with one package, `demo` 1.0.0, as far as npm and pip ask for one.
 */

/** The registry of npm: makes links of what the gate says of the way that the client came. */
export async function startNpmRegistry(): Promise<Listening> {
  const tarball = npmTarball();
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const server = createServer((request, response) => {
    if (request.url?.endsWith('.tgz')) return void response.end(tarball);
    if (request.method !== 'GET' || request.url !== '/demo')
      return void response.writeHead(404).end('{}');
    const dist = { integrity, tarball: `${origin(request)}/demo/-/demo-1.0.0.tgz` };
    const version = { name: 'demo', version: '1.0.0', dist };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        name: 'demo',
        'dist-tags': { latest: '1.0.0' },
        versions: { '1.0.0': version },
      }),
    );
  });
  return listening(server);
}

function origin({ headers }: IncomingMessage): string {
  const field = (name: string) => String(headers[`x-forwarded-${name}`] ?? '');
  return `${field('proto')}://${field('host')}${field('prefix')}`;
}

function npmTarball(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-npm-'));
  mkdirSync(join(folder, 'package'));
  const about = JSON.stringify({ name: 'demo', version: '1.0.0' });
  writeFileSync(join(folder, 'package', 'package.json'), about);
  const tarball = execFileSync('tar', ['-czf', '-', '-C', folder, 'package']);
  rmSync(folder, { recursive: true });
  return tarball;
}

const WHEEL = 'demo-1.0.0-py3-none-any.whl';
/** A wheel is a ZIP file with these. */
const MAKE_WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('demo.py', '')
    info = 'demo-1.0.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'demo.py,,\\n')
`;

/** An index of Python packages (PEP 503), with relative links. */
export async function startPythonIndex(): Promise<Listening> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-pypi-'));
  execFileSync('python3', ['-c', MAKE_WHEEL, join(folder, WHEEL)]);
  const wheel = readFileSync(join(folder, WHEEL));
  rmSync(folder, { recursive: true });
  const server = createServer((request, response) => {
    if (request.url === `/files/${WHEEL}`) return void response.end(wheel);
    if (request.url !== '/simple/demo/') return void response.writeHead(404).end();
    response.setHeader('content-type', 'text/html');
    response.end(`<!DOCTYPE html><a href="../../files/${WHEEL}">${WHEEL}</a>`);
  });
  return listening(server);
}
