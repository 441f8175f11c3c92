import { isReference } from '../environment.ts';
import type { ConfigPath, Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, list, type Raw, text } from './raw.ts';
import { checkClientCertificate, checkVerification } from './tls-rules.ts';

/** The three ways to name a Redis; a file takes one. */
const PLACES = ['url', 'sentinels', 'cluster'] as const;

export function checkStore(file: Raw, source: YamlSource, report: Report): void {
  const store = group(file.store);
  if (store.kind !== 'redis') {
    checkWorkers(group(file.instance), report);
    return;
  }
  checkPassword(store, ['store'], source, report);
  checkPassword(group(store.sentinels), ['store', 'sentinels'], source, report);
  checkPlace(store, report);
  const tls = group(store.tls);
  checkClientCertificate(tls, ['store', 'tls'], report);
  checkVerification(tls, ['store', 'tls'], report);
  for (const path of unprotected(store)) {
    report.warning(
      path,
      'without TLS whoever is on the way can read and change the registry; rediss: (or tls: with sentinels and a cluster) is the safe form',
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

function checkPlace(store: Raw, report: Report): void {
  const [first, ...others] = PLACES.filter((place) => has(store, place));
  if (first === undefined)
    report.fault(
      ['store', 'url'],
      'is missing: name one Redis by url, or several by sentinels or cluster',
    );
  for (const other of others)
    report.fault(['store', other], `either ${first} or ${other}, not both`);
  if (has(store, 'tls') && (text(store.url) ?? '').startsWith('redis:'))
    report.fault(['store', 'tls'], 'only with a rediss: URL');
}

/** The keys whose servers are reached in the clear, and not on this machine. */
function unprotected(store: Raw): readonly ConfigPath[] {
  const found: ConfigPath[] = [];
  const url = text(store.url) ?? '';
  if (url.startsWith('redis:') && !isLoopback(url.slice('redis://'.length)))
    found.push(['store', 'url']);
  const { addresses, tls } = group(store.sentinels);
  const inTheClear = !has(store, 'tls');
  if ((inTheClear || tls === false) && !allLoopback(addresses)) found.push(['store', 'sentinels']);
  if (inTheClear && !allLoopback(store.cluster)) found.push(['store', 'cluster']);
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
