import { ReplyError } from 'ioredis';
import { StoreUnavailable } from './fault.ts';

/**
 * Redis begins every error reply with its code: one upper-case word (Redis protocol, "Simple errors"). Only that word decides; what follows is
 * prose and differs between versions. A code that is not listed is an answer too, so it counts as `refused`.
 */
const WHY_OF_CODE: Readonly<Record<string, StoreUnavailable['why']>> = {
  NOAUTH: 'forbidden',
  WRONGPASS: 'forbidden',
  NOPERM: 'forbidden',
  DENIED: 'forbidden',
  WRONGTYPE: 'damaged',
  READONLY: 'refused',
  NOREPLICAS: 'refused',
  OOM: 'refused',
  LOADING: 'refused',
  MASTERDOWN: 'refused',
  BUSY: 'refused',
  MISCONF: 'refused',
  CLUSTERDOWN: 'refused',
};

const CODE = /^[A-Z][A-Z0-9_]*(?= |$)/;

/** The code of an error reply; null for what is not one (timeouts, closed connections). */
export function replyCode(fault: unknown): string | null {
  if (!(fault instanceof ReplyError)) return null;
  return CODE.exec((fault as Error).message)?.[0] ?? 'ERR';
}

/**
 * `lastConnectFault` is why the connection is down, when that is known: it explains better than "not writeable" why a command could not be sent.
 * The original is not kept as `cause`: ioredis hangs the command's arguments on its errors, HELLO's password among them.
 */
export function classify(fault: unknown, lastConnectFault: StoreUnavailable | null = null): StoreUnavailable {
  if (fault instanceof StoreUnavailable) return fault;
  const code = replyCode(fault);
  if (code !== null) return new StoreUnavailable(WHY_OF_CODE[code] ?? 'refused', code, `Redis answered ${code}`);
  if (lastConnectFault !== null) return lastConnectFault;
  const system = systemCode(fault);
  return new StoreUnavailable(
    'unreachable',
    system,
    `Redis cannot be reached (${system ?? 'no answer in time or connection lost'})`,
  );
}

/** `ECONNREFUSED`, `CERT_HAS_EXPIRED`: what Node puts on errors of sockets and TLS. */
function systemCode(fault: unknown): string | null {
  const code = (fault as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}
