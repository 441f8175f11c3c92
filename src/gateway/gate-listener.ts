import type { CallServices } from '../calls/port.ts';
import type { Config } from '../config/schema.ts';
import type { HostPort } from '../config/values.ts';
import type { Deadlines } from '../deadlines.ts';
import type { ConnectionLimits } from '../doors/connection.ts';
import { DoorListener, type Http2Options, type ListenerOptions } from '../doors/listener.ts';
import { tellFull } from '../ops/places.ts';
import { ServerCertificates } from '../tls/server-certificates.ts';
import { type TicketKeys, TicketRotation } from '../tls/ticket-keys.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import { addressLimitOf, partOf } from './places.ts';

/** A listener whose requests are decided on: of the proxied APIs, or of the decision endpoint. */
export interface GateListener {
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
  /** See `DoorListener.drain`. */
  drain(deadlineMs: number): Promise<number>;
}

type ListenerTls = NonNullable<Config['listen']['proxy']>['tls'];

export interface ListenerParts
  extends Pick<ListenerOptions, 'sendsPreface' | 'maxConnections'>,
    Partial<Pick<ListenerOptions, 'admits' | 'exchange' | 'isExempt'>> {
  /** `listen.proxy`. */
  readonly setting: string;
  readonly deadlines: Deadlines;
  /** Of a worker, whose port is shared: from its supervisor. Null: the keys are our own. */
  readonly ticketKeys: TicketKeys | null;
  /** What each call works with, by the configuration in force. */
  services(): CallServices;
  limitsOf(config: Config): ConnectionLimits;
  tlsOf(config: Config): ListenerTls;
  /** Null, and by default: HTTP/1.1 alone. */
  readonly http2Of?: (config: Config) => Http2Options | null;
  /** What else a reload changes. Must not throw. */
  readonly reloaded?: (next: Config) => void;
}

/** Makes a listener; opens no port yet. Throws `CertificateFault`. */
export function createListener(
  gate: GateContext,
  { host, port }: HostPort,
  parts: ListenerParts,
): GateListener {
  const { setting, ticketKeys, services, limitsOf, tlsOf, deadlines, reloaded, ...rest } = parts;
  const { http2Of = () => null, ...options } = rest;
  const { config } = gate.state;
  const certificates = certificatesOf(gate, tlsOf(config));
  const listener: DoorListener = new DoorListener(
    {
      host,
      port,
      shared: ticketKeys !== null,
      tls:
        certificates === null
          ? null
          : {
              certificates,
              ticketKeys: ticketKeys ?? rotatingKeys(gate, (keys) => listener.setTicketKeys(keys)),
            },
      ...watched(gate, setting, ticketKeys !== null),
      ...options,
    },
    services(),
    limitsOf(config),
    http2Of(config),
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
      const files = tlsOf(next);
      const renew = files === null ? null : certificates?.prepare(files.certificates, files);
      return () => {
        renew?.();
        listener.services = services();
        listener.limits = limitsOf(next);
        listener.http2 = http2Of(next);
        reloaded?.(next);
        listener.expel();
      };
    },
  };
}

function certificatesOf({ clock }: GateContext, tls: ListenerTls): ServerCertificates | null {
  return tls === null ? null : new ServerCertificates(tls.certificates, () => clock.wallMs(), tls);
}

function rotatingKeys(gate: GateContext, changed: (keys: TicketKeys) => void): TicketKeys {
  return own(gate, new TicketRotation(changed)).keys;
}

/** How often one may connect, and what is counted of it. */
function watched(
  { addresses, log, metrics, state }: GateContext,
  setting: string,
  isShared: boolean,
) {
  const current = () => state.config;
  return {
    full: tellFull(log, setting, (limit) => metrics.limits.count(limit), addresses.recorded),
    handshake: (result) => metrics.handshakes.count(result),
    halfOpen: () => metrics.limits.count('half_open'),
    http2Flood: () => metrics.limits.count('http2_flood'),
    ...partOf(addressLimitOf(current), isShared ? state.config.instance.workers : 1),
  } satisfies Partial<ListenerOptions>;
}
