import type { CallServices } from '../calls/port.ts';
import type { Config } from '../config/schema.ts';
import type { Asking } from '../doors/decision/asked.ts';
import { Question } from '../doors/decision/question.ts';
import { TrustedProxies } from '../http/client-address.ts';
import type { GateContext } from './context.ts';
import { createListener, type GateListener } from './gate-listener.ts';
import { DECISION_PLACES, decisionPeersOf } from './places.ts';
import type { ProxyParts } from './proxy.ts';

/** Of a question, beside what the request has that it asks about. */
const QUESTION_BYTES = 2048;
/** `/ext-authz`, in front of a target. */
const PREFIX_BYTES = 16;

/** Of questions whose content is kept, so many at a time on one connection. */
const HTTP2 = {
  enabled: true,
  maxConcurrentStreams: 256,
  streamWindowBytes: 262_144,
  connectionWindowBytes: 1_048_576,
} as const;

const NOBODY = new TrustedProxies([]);

interface DecisionParts extends Omit<ProxyParts, 'descriptors'> {
  readonly keySet: Asking['keySet'];
}

/** Makes the listener of `listen.decision`; opens no port yet. Throws `CertificateFault`. */
export function createDecisionDoor(
  gate: GateContext,
  { address, tls }: NonNullable<Config['listen']['decision']>,
  { services, deadlines, ticketKeys, keySet }: DecisionParts,
): GateListener {
  const { log, state } = gate;
  if (tls === null)
    log.info('the decision endpoint listens on plain HTTP: tokens come with the questions', {
      address,
    });
  const admits = decisionPeersOf(() => state.config);
  let asking = askingOf(state.config, keySet);
  return createListener(gate, address, {
    deadlines,
    ticketKeys,
    setting: 'listen.decision',
    reloaded: (next) => {
      asking = askingOf(next, keySet);
    },
    admits: (peer) => {
      if (admits(peer)) return true;
      log.warn('a connection from an address that is not in listen.decision.peers: closed', {
        peer,
      });
      return false;
    },
    exchange: (services, client, head) => new Question(services, client, head, asking),
    sendsPreface: () => false,
    // Whoever is listed asks for many.
    isExempt: () => true,
    maxConnections: () => DECISION_PLACES,
    // Whose request it is about, the question has said.
    services: (): CallServices => ({ ...services(), door: 'decision', trustedProxies: NOBODY }),
    limitsOf: ({ limits }) => ({
      ...limits,
      headBytes: limits.headBytes + limits.targetBytes + QUESTION_BYTES,
      targetBytes: limits.targetBytes + PREFIX_BYTES,
    }),
    http2Of: () => HTTP2,
    tlsOf: ({ listen }) => listen.decision?.tls ?? null,
  });
}

function askingOf({ listen, limits }: Config, keySet: Asking['keySet']): Asking {
  const networks = [...(listen.decision?.peers ?? []), ...(listen.proxy?.trustedProxies ?? [])];
  return { proxies: new TrustedProxies(networks), targetBytes: limits.targetBytes, keySet };
}
