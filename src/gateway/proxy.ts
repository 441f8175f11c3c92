import type { CallServices } from '../calls/port.ts';
import type { Config } from '../config/schema.ts';
import type { Deadlines } from '../deadlines.ts';
import { Http1Listener, type ListenerOptions } from '../doors/listener.ts';
import { tellFull } from '../ops/places.ts';
import { ServerCertificates } from '../tls/server-certificates.ts';
import { type TicketKeys, TicketRotation } from '../tls/ticket-keys.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import type { Descriptors } from './descriptors.ts';
import { addressLimitOf, partOf, prefacesOf } from './places.ts';

/** The listener of the proxied APIs. */
export interface GateProxy {
  /** Null = plain HTTP. */
  readonly certificates: ServerCertificates | null;
  /** Opens the port. Rejects with the system's error (EADDRINUSE, EACCES, …). @returns the port */
  listen(): Promise<number>;
  /** Connections that take a place, those that arrive included. */
  readonly taken: number;
  counts(): { readonly arriving: number; readonly idle: number; readonly active: number };
  /** Takes over certificates, limits, and what each call works with. */
  readonly prepareReload: PrepareReload;
  /** From now on tickets are sealed with other keys. */
  setTicketKeys(keys: TicketKeys): void;
  /** From now on each response says that it is the last one on its connection. */
  announceEnd(): void;
  /** See `Http1Listener.drain`. */
  drain(deadlineMs: number): Promise<number>;
}

export interface ProxyParts {
  readonly descriptors: Descriptors;
  readonly deadlines: Deadlines;
  /** Of a worker, whose port is shared: from its supervisor. Null: the keys are our own. */
  readonly ticketKeys: TicketKeys | null;
  /** What each call works with, by the configuration in force. */
  services(): CallServices;
}

/** Makes the listener of `listen.proxy`; opens no port yet. Throws `CertificateFault`. */
export function createProxy(
  gate: GateContext,
  { address, tls }: NonNullable<Config['listen']['proxy']>,
  { descriptors, deadlines, ticketKeys, services }: ProxyParts,
): GateProxy {
  const certificates = tls === null ? null : certificatesOf(gate, tls);
  if (certificates === null)
    gate.log.warn('the gate listens on plain HTTP: tokens can be read on their way here', {
      address,
    });
  const listener: Http1Listener = new Http1Listener(
    {
      host: address.host,
      port: address.port,
      shared: ticketKeys !== null,
      tls:
        certificates === null
          ? null
          : {
              certificates,
              ticketKeys: ticketKeys ?? rotatingKeys(gate, (keys) => listener.setTicketKeys(keys)),
            },
      maxConnections: () => descriptors.clients,
      ...watched(gate, ticketKeys !== null),
    },
    services(),
    gate.state.config.limits,
    deadlines,
  );
  // After a drain nothing is left of it.
  gate.owned.defer(async () => void (await listener.drain(0)));
  return {
    certificates,
    listen: () => listener.listen(),
    get taken() {
      return listener.taken;
    },
    counts: () => listener.counts(),
    setTicketKeys: (keys) => listener.setTicketKeys(keys),
    announceEnd: () => listener.announceEnd(),
    drain: (deadlineMs) => listener.drain(deadlineMs),
    prepareReload: (next) => {
      const files = next.listen.proxy?.tls ?? null;
      const renew =
        files === null ? null : certificates?.prepare(files.certificates, files.clientCaFile);
      return () => {
        renew?.();
        listener.services = services();
        listener.limits = next.limits;
      };
    },
  };
}

type ProxyTls = NonNullable<NonNullable<Config['listen']['proxy']>['tls']>;

function certificatesOf({ clock }: GateContext, tls: ProxyTls): ServerCertificates {
  return new ServerCertificates(tls.certificates, () => clock.wallMs(), tls.clientCaFile);
}

function rotatingKeys(gate: GateContext, changed: (keys: TicketKeys) => void): TicketKeys {
  return own(gate, new TicketRotation(changed)).keys;
}

/** Who may connect, how often, and what is counted of it. */
function watched({ addresses, log, metrics, state }: GateContext, isShared: boolean) {
  const current = () => state.config;
  return {
    sendsPreface: prefacesOf(current),
    full: tellFull(log, 'listen.proxy', (limit) => metrics.limits.count(limit), addresses.recorded),
    handshake: (result) => metrics.handshakes.count(result),
    halfOpen: () => metrics.limits.count('half_open'),
    ...partOf(addressLimitOf(current), isShared ? state.config.instance.workers : 1),
  } satisfies Partial<ListenerOptions>;
}
