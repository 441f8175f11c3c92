import { isIPv4 } from 'node:net';
import { socketPathOf } from '../../http/socket-address.ts';
import type { Report } from '../faults.ts';
import { parseHostPort } from '../values.ts';
import { group, has, type Raw, text } from './raw.ts';

const DEFAULT_ADDRESS: Readonly<Record<string, string>> = {
  proxy: '0.0.0.0:8443',
  admin: '127.0.0.1:9443',
  ops: '127.0.0.1:9464',
  decision: '127.0.0.1:9444',
};

export function checkListen(file: Raw, report: Report): void {
  const listen = group(file.listen);
  if (has(listen, 'proxy')) checkProxy(group(listen.proxy), report);
  if (has(listen, 'admin') && !has(group(listen.admin), 'tls') && !has(group(listen.proxy), 'tls'))
    report.fault(
      ['listen', 'admin', 'tls'],
      'is missing: the admin listener speaks HTTPS only, and listen.proxy has no certificates to share',
    );
  if (has(listen, 'decision')) checkDecision(group(listen.decision), report);
  for (const name of SOCKETS)
    if (isSocket(group(listen[name]))) checkSocket(group(listen[name]), name, file, report);
  for (const name of Object.keys(DEFAULT_ADDRESS)) checkClients(group(listen[name]), name, report);
  checkAddresses(listen, report);
}

/** Listeners that take a socket of this machine. */
const SOCKETS = ['proxy', 'decision'] as const;

function isSocket(listener: Raw): boolean {
  return socketPathOf(text(listener.address) ?? '') !== null;
}

/** Nobody is on the way to it; and the system deals no connections of one socket out. */
function checkSocket(listener: Raw, name: string, file: Raw, report: Report): void {
  if (has(listener, 'tls'))
    report.fault(
      ['listen', name, 'tls'],
      'only with host:port: a socket of this machine is spoken to without TLS',
    );
  const { workers } = group(file.instance);
  if (typeof workers === 'number' && workers > 1)
    report.fault(
      ['listen', name, 'address'],
      `the ${workers} workers cannot share a socket: run one worker, or listen on host:port`,
    );
}

/** What is asked of clients can be asked. */
function checkClients(listener: Raw, name: string, report: Report): void {
  const tls = group(listener.tls);
  const path = ['listen', name, 'tls', 'clientCertificates'];
  const hasCa = has(tls, 'clientCaFile');
  if (tls.clientCertificates === 'required' && !hasCa)
    report.fault(path, 'required needs a clientCaFile: without one nobody vouches for clients');
  if (tls.clientCertificates === 'none' && hasCa)
    report.fault(path, 'either none or a clientCaFile: clients that are not asked show nothing');
}

/** Whoever may ask is believed; what is asked bears tokens. */
function checkDecision(decision: Raw, report: Report): void {
  const path = ['listen', 'decision'];
  if (!Array.isArray(decision.peers) || decision.peers.length === 0)
    report.fault(
      [...path, 'peers'],
      'is missing: name the addresses of the proxies and programs that may ask',
    );
  const plaintext = decision.plaintext === true;
  if (has(decision, 'tls') && plaintext)
    report.fault([...path, 'plaintext'], 'either tls or plaintext: true, not both');
  const { host } = parseHostPort(text(decision.address) ?? DEFAULT_ADDRESS.decision!) ?? NO_ADDRESS;
  if (!has(decision, 'tls') && !plaintext && !isLoopback(host))
    report.fault(
      [...path, 'tls'],
      'is missing: beyond the loopback, questions bear tokens and need HTTPS (or say plaintext: true)',
    );
  if (plaintext && !isSocket(decision))
    report.warning(
      [...path, 'plaintext'],
      'the decision endpoint listens without TLS: tokens are readable on the way to it',
    );
}

const NO_ADDRESS = { host: '127.0.0.1' };

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function checkProxy(proxy: Raw, report: Report): void {
  const path = ['listen', 'proxy'];
  const plaintext = proxy.plaintext === true;
  if (has(proxy, 'tls') && plaintext)
    report.fault([...path, 'plaintext'], 'either tls or plaintext: true, not both');
  if (!has(proxy, 'tls') && !plaintext)
    report.fault(
      [...path, 'tls'],
      'is missing: tokens need HTTPS (or say plaintext: true, where something else ends TLS)',
    );
  if (plaintext && !isSocket(proxy)) {
    report.warning(
      [...path, 'plaintext'],
      'the gate listens without TLS: tokens are readable on the way to it',
    );
  }
}

/** Two listeners on one port would fail at start with a message that names neither. */
function checkAddresses(listen: Raw, report: Report): void {
  const taken = new Map<number, { readonly name: string; readonly host: string }>();
  for (const name of Object.keys(DEFAULT_ADDRESS)) {
    if (!has(listen, name)) continue;
    const said = text(group(listen[name]).address) ?? DEFAULT_ADDRESS[name]!;
    if (
      name === 'decision' &&
      isSocket(group(listen[name])) &&
      said === group(listen.proxy).address
    )
      report.fault(['listen', name, 'address'], 'the socket is already taken by listen.proxy');
    const address = parseHostPort(said);
    if (address === null || address.port === 0) continue;
    const other = taken.get(address.port);
    if (
      other !== undefined &&
      (other.host === address.host || isAny(other.host) || isAny(address.host))
    ) {
      report.fault(
        ['listen', name, 'address'],
        `the port is already taken by listen.${other.name}`,
      );
    }
    taken.set(address.port, { name, host: address.host });
  }
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
