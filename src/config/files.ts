import { hash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { readBounded, whyUnreadable } from './bounded-file.ts';
import type { ConfigPath, Report } from './faults.ts';
import { Secret } from './secret.ts';

const OTHERS_READ = 0o004;

/** Keys whose file holds a secret, and the key under which its text is put in place. */
const SECRETS: Readonly<Record<string, string>> = {
  passwordFile: 'password',
  clientSecretFile: 'clientSecret',
  secretFile: 'secret',
  valueFile: 'value',
  sealingKeyFile: 'sealingKey',
};

/** What a key that names a file led to. */
export interface FileContent {
  readonly file: string;
  /** SHA-256; empty where it could not be read, and of secrets, which are compared themselves. */
  readonly digest: string;
}

/**
 * Finds every key that names a file (they all end in `File`), makes the paths absolute, says which
 * files cannot be read, and puts the text of secret files in place (`passwordFile: f` also gives
 * `password`). Works on a copy.
 *
 * Relative paths are relative to the folder of the configuration file, wherever the process was
 * started.
 */
export function resolveFiles(
  value: unknown,
  configFile: string,
  report: Report,
): { readonly value: unknown; readonly contents: ReadonlyMap<string, FileContent> } {
  const contents = new Map<string, FileContent>();
  const folder = dirname(configFile);
  const visit = (node: unknown, path: ConfigPath): unknown => {
    if (Array.isArray(node)) return node.map((item, index) => visit(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    const copy: Record<string, unknown> = {};
    for (const [key, child] of Object.entries(node)) {
      const here = [...path, key];
      if (typeof child !== 'string' || child === '') copy[key] = visit(child, here);
      else if (key.endsWith('File') && !isFieldName(path)) {
        const file = resolve(folder, child);
        contents.set(here.join('.'), { file, digest: key in SECRETS ? '' : digestOf(file) });
        copy[key] = file;
        const secretKey = SECRETS[key];
        if (secretKey === undefined) {
          checkReadable(file, key, here, report);
        } else if (!Object.hasOwn(node, secretKey)) {
          copy[secretKey] = readSecret(file, here, report) ?? undefined;
        }
      } else copy[key] = child;
    }
    return copy;
  };
  return { value: visit(value, []), contents };
}

/** Below `headers.set` a key is the name of a header field, whatever it ends with. */
function isFieldName(path: ConfigPath): boolean {
  return path.at(-1) === 'set' && path.at(-2) === 'headers';
}

function digestOf(file: string): string {
  try {
    return hash('sha256', readBounded(file).text, 'hex');
  } catch {
    return ''; // said by whoever reads it next
  }
}

function checkReadable(file: string, key: string, path: ConfigPath, report: Report): void {
  try {
    const { mode } = readBounded(file);
    if (key === 'keyFile' && (mode & OTHERS_READ) !== 0)
      report.warning(path, 'every user of this machine can read the private key (chmod 600)');
  } catch (error) {
    report.fault(path, whyUnreadable(error));
  }
}

function readSecret(file: string, path: ConfigPath, report: Report): Secret | null {
  try {
    const { text, mode } = readBounded(file);
    if ((mode & OTHERS_READ) !== 0)
      report.warning(path, 'every user of this machine can read the secret (chmod 600)');
    const secret = text.replace(/\r?\n$/, '');
    if (secret !== secret.trim())
      report.warning(
        path,
        'the secret begins or ends with white space, which counts as a part of it: only one final line break does not',
      );
    if (secret !== '') return new Secret(secret);
    report.fault(path, 'the file is empty');
  } catch (error) {
    report.fault(path, whyUnreadable(error));
  }
  return null;
}
