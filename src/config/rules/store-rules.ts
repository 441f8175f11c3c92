import { isReference } from '../environment.ts';
import type { Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, type Raw, text } from './raw.ts';
import { checkClientCertificate, checkVerification } from './tls-rules.ts';

export function checkStore(file: Raw, source: YamlSource, report: Report): void {
  const store = group(file.store);
  if (store.kind !== 'redis') return;
  checkPassword(store, source, report);
  const url = text(store.url) ?? '';
  const tls = group(store.tls);
  if (has(store, 'tls') && url.startsWith('redis:')) report.fault(['store', 'tls'], 'only with a rediss: URL');
  checkClientCertificate(tls, ['store', 'tls'], report);
  checkVerification(tls, ['store', 'tls'], report);
  if (url.startsWith('redis:') && !isLoopback(url)) {
    report.warning(
      ['store', 'url'],
      'without TLS whoever is on the way can read and change the registry; rediss: is the safe form',
    );
  }
}

function checkPassword(store: Raw, source: YamlSource, report: Report): void {
  const path = ['store', 'password'];
  if (!has(store, 'password')) return;
  if (has(store, 'passwordFile')) report.fault(path, 'either password or passwordFile, not both');
  if (!isReference(source.written(path)))
    report.fault(path, 'a password is not written into this file: use passwordFile, or a variable of the environment');
}

function isLoopback(url: string): boolean {
  return /^redis:\/\/(?:localhost|127\.[0-9.]+|\[::1\])(?::|\/|$)/.test(url);
}
