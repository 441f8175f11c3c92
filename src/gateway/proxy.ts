import type { CallServices } from '../calls/port.ts';
import type { Config } from '../config/schema.ts';
import type { Deadlines } from '../deadlines.ts';
import { socketPathOf } from '../http/socket-address.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import type { GateContext } from './context.ts';
import type { Descriptors } from './descriptors.ts';
import { createListener, type GateListener } from './gate-listener.ts';
import { prefacesOf } from './places.ts';

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
  { descriptors, ...parts }: ProxyParts,
): GateListener {
  if (tls === null && socketPathOf(address.host) === null)
    gate.log.warn('the gate listens on plain HTTP: tokens can be read on their way here', {
      address,
    });
  return createListener(gate, address, {
    ...parts,
    setting: 'listen.proxy',
    sendsPreface: prefacesOf(() => gate.state.config),
    maxConnections: () => descriptors.clients,
    limitsOf: ({ limits }) => limits,
    http2Of: ({ listen }) => listen.proxy?.http2 ?? null,
    tlsOf: ({ listen }) => listen.proxy?.tls ?? null,
  });
}
