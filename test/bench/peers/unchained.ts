import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** What is another text in the copy: no outbox has a chain, and no head of one is due. */
const EDITS = [
  ['chain: previous?.chain ?? NO_CHAIN,', 'chain: void 0,'],
  ['this.unsigned >= this.#unsignedAtMost', 'false'],
] as const;

/**
 * A copy of the bundle without the chain of audit events, which no configuration can switch off.
 * Throws when there is no bundle.
 *
 * @param folder an empty one
 * @returns its root
 */
export function unchainedCopy(root: string, folder: string): string {
  const from = join(root, 'dist/app');
  if (!existsSync(from)) throw new Error('there is no bundle to copy (run: npm run bundle)');
  const app = join(folder, 'dist/app');
  mkdirSync(join(folder, 'bin'), { recursive: true });
  cpSync(from, app, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  for (const name of ['sallyport', 'with-node'])
    copyFileSync(join(root, 'bin', name), join(folder, 'bin', name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [now, then] of EDITS) edit(app, now, then);
  return folder;
}

function edit(app: string, now: string, then: string): void {
  const files = readdirSync(app)
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(app, name))
    .filter((file) => readFileSync(file, 'utf8').includes(now));
  const parts = files.length === 1 ? readFileSync(files[0]!, 'utf8').split(now) : [];
  if (parts.length !== 2) throw new Error(`the bundle does not say "${now}" once`);
  writeFileSync(files[0]!, parts.join(then));
}
