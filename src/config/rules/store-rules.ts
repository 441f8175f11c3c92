import { isReference } from '../environment.ts';
import type { ConfigPath, Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, list, type Raw, text } from './raw.ts';
import { checkClientCertificate, checkVerification } from './tls-rules.ts';

/** The three ways to name a Redis; a file takes one. */
const PLACES = ['url', 'sentinels', 'cluster'] as const;

export function checkStore(file: Raw, source: YamlSource, report: Report): void {
  const store = group(file.store);
  const { store: auditStore } = group(file.audit);
  if (store.kind === 'redis') checkRedis(store, ['store'], 'registry', source, report);
  else checkWorkers(group(file.instance), report);
  if (auditStore === undefined || auditStore === null) return;
  checkRedis(group(auditStore), ['audit', 'store'], 'audit', source, report);
  const { url } = group(auditStore);
  if (typeof url === 'string' && url === store.url)
    report.warning(
      ['audit', 'store', 'url'],
      'is the Redis of store: the audit takes the memory of the registry as without it',
    );
  if (store.kind !== 'redis')
    report.fault(
      ['audit', 'store'],
      'only with store.kind: redis: an embedded store keeps its audit in its own folder',
    );
}

function checkRedis(
  store: Raw,
  at: ConfigPath,
  holds: 'registry' | 'audit',
  source: YamlSource,
  report: Report,
): void {
  checkPassword(store, at, source, report);
  checkPassword(group(store.sentinels), [...at, 'sentinels'], source, report);
  checkPlace(store, at, report);
  const tls = group(store.tls);
  checkClientCertificate(tls, [...at, 'tls'], report);
  checkVerification(tls, [...at, 'tls'], report);
  for (const key of unprotected(store)) {
    report.warning(
      [...at, key],
      `without TLS whoever is on the way can read and change the ${holds}; rediss: (or tls: with sentinels and a cluster) is the safe form`,
    );
  }
}

function checkWorkers({ workers }: Raw, report: Report): void {
  if (typeof workers === 'number' && workers > 1)
    report.fault(
      ['instance', 'workers'],
      'an embedded store has one owner: several workers need store.kind: redis',
    );
}

function checkPlace(store: Raw, at: ConfigPath, report: Report): void {
  const [first, ...others] = PLACES.filter((place) => has(store, place));
  if (first === undefined)
    report.fault(
      [...at, 'url'],
      'is missing: name one Redis by url, or several by sentinels or cluster',
    );
  for (const other of others) report.fault([...at, other], `either ${first} or ${other}, not both`);
  if (has(store, 'tls') && (text(store.url) ?? '').startsWith('redis:'))
    report.fault([...at, 'tls'], 'only with a rediss: URL');
}

/** The keys whose servers are reached in the clear, and not on this machine. */
function unprotected(store: Raw): readonly string[] {
  const found: string[] = [];
  const url = text(store.url) ?? '';
  if (url.startsWith('redis:') && !isLoopback(url.slice('redis://'.length))) found.push('url');
  const { addresses, tls } = group(store.sentinels);
  const inTheClear = !has(store, 'tls');
  if ((inTheClear || tls === false) && !allLoopback(addresses)) found.push('sentinels');
  if (inTheClear && !allLoopback(store.cluster)) found.push('cluster');
  return found;
}

function checkPassword(owner: Raw, at: ConfigPath, source: YamlSource, report: Report): void {
  const path = [...at, 'password'];
  if (!has(owner, 'password')) return;
  if (has(owner, 'passwordFile')) report.fault(path, 'either password or passwordFile, not both');
  if (!isReference(source.written(path)))
    report.fault(
      path,
      'a password is not written into this file: use passwordFile, or a variable of the environment',
    );
}

function allLoopback(addresses: unknown): boolean {
  return list(addresses).every((address) => isLoopback(text(address) ?? ''));
}

function isLoopback(address: string): boolean {
  return /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|\/|$)/.test(address);
}
