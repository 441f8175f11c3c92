import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ROOT, read } from '../house/tree.ts';
import { copyContext } from '../support/docker/context.ts';

const home = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What the builder works with. */
function contextOf(folder: string): string {
  copyContext(ROOT, folder);
  // As `npm ci` would put them there; where links cannot be made, they are copied.
  const libraries = ['-a', join(ROOT, 'node_modules'), folder];
  if (spawnSync('cp', ['-l', ...libraries]).status !== 0) execFileSync('cp', libraries);
  return folder;
}

/** What the image holds beside its base, made in a folder. */
function make(name: string, seconds: string, umask: string, cwd: string): string {
  const folder = join(home, name);
  const words = ['-c', `umask ${umask}; exec "$0" "$@"`, process.execPath, 'bin/image.ts', folder];
  execFileSync('sh', words, {
    cwd,
    env: { ...process.env, SOURCE_DATE_EPOCH: seconds },
    stdio: 'pipe',
  });
  return folder;
}

/** All that a layer would hold of a folder. */
function layerOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map((path) => String(path))
    .sort()
    .map((path) => {
      const file = join(folder, path);
      const found = lstatSync(file);
      const content = found.isFile()
        ? createHash('sha256').update(readFileSync(file)).digest('hex')
        : found.isSymbolicLink() && readlinkSync(file);
      return `${path} ${found.mode.toString(8)} ${found.mtimeMs} ${content}`;
    });
}

it('holds the same bytes, modes and times at every build, and no source and no library', {
  timeout: 180_000,
}, () => {
  const first = make('one', '86400', '022', ROOT);
  const second = make('two', '86400', '077', contextOf(join(home, 'context')));
  const layer = layerOf(first);
  expect(layerOf(second)).toEqual(layer);
  expect(layer.filter((entry) => !entry.includes(' 86400000 '))).toEqual([]);
  expect(layer.filter((entry) => /node_modules|\.ts /.test(entry))).toEqual([]);
  expect(layer.filter((entry) => entry.startsWith('app/dist/docs/index.html '))).toHaveLength(1);
  expect(new Set(layer.map((entry) => entry.split(' ')[1]))).toEqual(
    new Set(['40755', '100644', '100755', '120777']),
  );
  const { status, stdout } = spawnSync(process.execPath, [
    join(first, 'app/bin/sallyport'),
    '--version',
  ]);
  expect({ status, version: String(stdout).trim() }).toEqual({ status: 0, version: ownVersion() });
});

it('names in bill and licences each package that the bundle is made of, and no Node', () => {
  const folder = join(home, 'one/app');
  const bill = JSON.parse(readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')) as {
    readonly bomFormat: string;
    readonly components: readonly { readonly name: string; readonly version: string }[];
  };
  expect(bill.bomFormat).toBe('CycloneDX');
  const named = new Set(bill.components.map(({ name, version }) => `${name} ${version}`));
  const { dependencies } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>;
  };
  const used = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
  expect(used.length).toBeGreaterThan(5);
  expect(used.filter((one) => !named.has(one))).toEqual([]);
  expect([...named].filter((one) => one.startsWith('node-'))).toEqual([]);
  const licences = readFileSync(join(folder, 'LICENSES-OF-OTHERS'), 'utf8');
  expect([...named].filter((one) => !licences.includes(`\n${one} (`))).toEqual([]);
});

it('is labelled with the version of the package', () => {
  expect(read('Dockerfile')).toContain(`image.version="${ownVersion()}"`);
});

function ownVersion(): string {
  return (JSON.parse(read('package.json')) as { version: string }).version;
}
