/**
 * The first step of docker-compose.yml: makes what nobody should have to prepare, and nobody should
 * find in a repository. Run at every start; what is there and still good stays. Each reader gets a
 * folder with its own secrets only:
 *   gate/    certificate for localhost, ca.pem to trust it, password of the Redis user `gate`
 *   manage/  password of the Redis user `manager`
 *   redis/   users.acl with the passwords' digests; Redis runs under another user, and digests of
 *            256 random bits tell nothing
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';

const root = process.argv[2] ?? '/run/sallyport';
const makeUsers = join(import.meta.dirname, '..', 'redis', 'make-users.sh');

const { issued } = await ensureLocalCertificate(join(root, 'gate'), systemClock.wallMs());
console.log(
  issued ? 'issued a certificate for localhost' : 'the certificate for localhost is still good',
);

const gate = ensurePassword(join(root, 'gate', 'redis.password'));
const manager = ensurePassword(join(root, 'manage', 'redis.password'));
const env = { ...process.env, GATE_PASSWORD_FILE: gate, MANAGER_PASSWORD_FILE: manager };
writeWhole(
  join(root, 'redis', 'users.acl'),
  execFileSync('sh', [makeUsers], { env, encoding: 'utf8' }),
  0o644,
);
console.log('wrote the users of Redis');

/** Answers the path. */
function ensurePassword(path: string): string {
  if (!existsSync(path)) writeWhole(path, `${randomBytes(32).toString('hex')}\n`, 0o600);
  return path;
}

/**
 * Under its name only when it is complete: a start that was cut short is made good by the next one.
 */
function writeWhole(path: string, text: string, mode: number): void {
  writeFileSync(`${path}.new`, text, { mode });
  // The mode above is subject to the umask.
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}
