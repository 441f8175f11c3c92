import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package that the bundle is made of. */
interface Material {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Where it is installed. */
  readonly folder: string;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly license?: string; readonly dev?: boolean }>
  >;
}

/** What CycloneDX says, as far as it is changed here (cyclonedx.org/docs/1.5/json). */
interface Bill {
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly component: Readonly<Record<string, unknown>>;
  };
  readonly components: readonly { readonly 'bom-ref': string; readonly name: string }[];
  readonly dependencies: readonly {
    readonly ref: string;
    readonly dependsOn?: readonly string[];
  }[];
}

/** They bring a Node to machines that have none; the image has its own. */
const A_NODE = /^node-(bin-)?(darwin|linux)-/;
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;
const RULE = '-'.repeat(80);

/** What the lock file names beside what developers need, by name. */
function materialsOf(root: string): readonly Material[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version = '', license = '' }]) => ({
      name: path.split('node_modules/').at(-1)!,
      version,
      license,
      folder: join(root, path),
    }))
    .filter(({ name }) => !A_NODE.test(name))
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** The licences of all of them, with their texts. Throws when a package is not installed. */
export function licencesOf(root: string): string {
  return materialsOf(root).map(licenceOf).join('');
}

function licenceOf({ name, version, license, folder }: Material): string {
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const said = texts.length > 0 ? texts : ['(the package has no file with the text)'];
  return `${RULE}\n${name} ${version} (${license})\n${RULE}\n\n${said.join('\n\n')}\n\n`;
}

/**
 * The bill of materials (CycloneDX, JSON), as npm writes it, of what is in the bundle. Without what
 * would be another each time: its time is `seconds` since 1970, its number is made from the rest.
 */
export function billOf(root: string, seconds: number): string {
  // With --omit=dev npm leaves out what developers need, too.
  const words = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'];
  const bytes = { maxBuffer: 64 * 1024 * 1024 };
  const text = execFileSync('npm', words, { cwd: root, encoding: 'utf8', ...bytes });
  const { components, dependencies, metadata, ...rest } = JSON.parse(text) as Bill;
  const used = new Set(materialsOf(root).map(({ name, version }) => `${name}@${version}`));
  const own = dependencies[0]?.ref;
  // npm names the whole after the folder in which it lies.
  const component = { ...metadata.component, name: own?.split('@')[0] };
  const said = {
    ...rest,
    serialNumber: '',
    metadata: { ...metadata, component, timestamp: new Date(seconds * 1000).toISOString() },
    components: components.filter((one) => used.has(one['bom-ref'])),
    dependencies: dependencies
      .filter(({ ref }) => ref === own || used.has(ref))
      .map(({ ref, dependsOn = [] }) => ({
        ref,
        dependsOn: dependsOn.filter((one) => used.has(one)),
      })),
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(said))}`;
  return `${JSON.stringify({ ...said, serialNumber }, null, 2)}\n`;
}

/** RFC 9562 §5.8: version 8, its bits are a hash of the text. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
