import type { LookupFunction } from 'node:net';
import type { Fields } from '../http/fields.ts';
import type { EjectionOptions, HealthChange } from './address-health.ts';
import type { DescriptorBudget } from './descriptors.ts';
import type { ServiceTarget, UpstreamAddress, UpstreamProtocol, UpstreamTls } from './dialer.ts';
import type { PlaceStates } from './place-states.ts';
import type { UpstreamTimeouts } from './port.ts';

export interface HealthCheckOptions {
  /** What is asked for by GET, in origin-form; null: the check is one of gRPC. */
  readonly path: string | null;
  /** The service that a server of gRPC is asked about; empty, the default: all of it. */
  readonly grpcService?: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Checks in a row that must fail, or pass, for the verdict to change. */
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

export interface PoolOptions extends UpstreamTimeouts {
  readonly addresses: readonly UpstreamAddress[];
  /** Null = plain HTTP. */
  readonly tls: UpstreamTls | null;
  readonly protocol: UpstreamProtocol;
  /** Connections to one place at most, idle and busy together; with HTTP/2, calls. */
  readonly maxConnections: number;
  /** How long one connection serves, in milliseconds, give or take a tenth. */
  readonly maxConnectionAgeMs: number;
  readonly names: NameSource;
  /** Of this upstream, shared with the pools that a reload has replaced. */
  readonly places: PlaceStates;
  /** Shared by the pools of all upstreams. */
  readonly budget: DescriptorBudget;
  readonly ejection: EjectionOptions;
  /** Null = none. */
  readonly healthCheck: HealthCheckOptions | null;
  /** The Host that a health check of this address asks for. */
  readonly checkHost: (address: UpstreamAddress) => string;
  /** Fields of a health check beside its own. They may hold a secret. */
  readonly checkFields?: () => Fields | null;
  /** Told when an address is left out and when it is back. Must not throw. */
  readonly healthChanged: (address: UpstreamAddress, change: HealthChange, why: string) => void;
  /** Told of the IP addresses of a name, and of those before. Must not throw. */
  readonly moved: (
    address: UpstreamAddress,
    to: readonly string[],
    from: readonly string[],
  ) => void;
}

/** How names become addresses (names/resolver.ts). */
export interface NameSource {
  /** As `net.connect` takes it. */
  readonly lookup: LookupFunction;
  /**
   * Tells the addresses of a name once they are known, and again whenever they change. @returns
   * ends it
   */
  watch(host: string, changed: (addresses: readonly string[]) => void): () => void;
  /** The same of the servers of a service (RFC 2782). */
  watchService(name: string, changed: (targets: readonly ServiceTarget[]) => void): () => void;
}
