import { ReplyError } from 'ioredis';
import { StoreUnavailable } from './fault.ts';

/**
 * Redis begins every error reply with its code: one upper-case word (Redis protocol, "Simple
 * errors"). Only that word decides; what follows is prose and differs between versions. A code that
 * is not listed is an answer too, so it counts as `refused`. The words are for whoever reads a log
 * or `/readyz`: what it means and, where it is not evident, where to look.
 */
const CODES: Readonly<Record<string, readonly [why: StoreUnavailable['why'], words: string]>> = {
  NOAUTH: ['forbidden', 'it asks for a user and a password, and none is configured'],
  WRONGPASS: ['forbidden', 'user or password is wrong, or the user is disabled'],
  NOPERM: [
    'forbidden',
    'the configured user lacks a right (administration is done as `manager`; config/redis/users.acl lists the rights of both)',
  ],
  DENIED: ['forbidden', 'protected mode lets nobody in from outside'],
  WRONGTYPE: ['damaged', 'a key holds something else than it should'],
  READONLY: [
    'refused',
    'this server is a replica and takes no writes: its name is looked up and connected to anew',
  ],
  NOREPLICAS: [
    'refused',
    'too few replicas follow this server, so it takes no writes (min-replicas-to-write)',
  ],
  OOM: ['refused', 'its memory is full (maxmemory), so it takes no writes that need more'],
  LOADING: ['refused', 'it is still loading its data'],
  MASTERDOWN: [
    'refused',
    'it is a replica that has lost its primary: its name is looked up and connected to anew',
  ],
  BUSY: ['refused', 'a script has been running for too long on it'],
  MISCONF: ['refused', 'it cannot write to its disk, so it takes no writes'],
  CLUSTERDOWN: ['refused', 'the cluster does not serve this part of the keys'],
  MOVED: ['refused', 'the keys are on another server of the cluster'],
  ASK: ['refused', 'the keys are being moved to another server of the cluster'],
  TRYAGAIN: ['refused', 'the keys are being moved between servers of the cluster'],
  CROSSSLOT: ['refused', 'the keys of one step are on different servers of the cluster'],
  UNBLOCKED: ['refused', 'this server has just become a replica'],
};

const UNKNOWN_CA =
  'a CA that is not known here has signed its certificate: set tls.caFile of the store to that CA';
const NO_TLS = 'what listens there does not speak TLS: use redis:// or its TLS port';

/** What the system and TLS say of a connection that cannot be made, and what to do. */
const CONNECTING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such name',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for other names: set tls.serverName of the store to one of them',
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};

const CODE = /^[A-Z][A-Z0-9_]*(?= |$)/;
const REDIRECT = /^(MOVED|ASK) ([0-9]{1,5}) (.*):([0-9]{1,5})$/;

/** A server of a Cluster says which other one has the keys: what was asked has not been done. */
export class Redirected extends StoreUnavailable {
  readonly slot: number;
  /** Empty: the host of the server that says it. */
  readonly host: string;
  readonly port: number;
  /** Only this once (ASK), for the slot is on its way; else for good (MOVED). */
  readonly once: boolean;

  constructor(code: 'MOVED' | 'ASK', slot: number, host: string, port: number) {
    super('refused', code, messageOf(code));
    this.slot = slot;
    this.host = host;
    this.port = port;
    this.once = code === 'ASK';
  }
}

/** The code of an error reply; null for what is not one (timeouts, closed connections). */
export function replyCode(fault: unknown): string | null {
  if (!(fault instanceof ReplyError)) return null;
  return CODE.exec((fault as Error).message)?.[0] ?? 'ERR';
}

/**
 * `lastConnectFault` is why the connection is down, when that is known: it explains better than
 * "not writeable" why a command could not be sent. The original is not kept as `cause`: ioredis
 * hangs the command's arguments on its errors, HELLO's password among them.
 *
 * @param at the server that it is about, `host:port`; null: whoever is told knows it
 */
export function classify(
  fault: unknown,
  lastConnectFault: StoreUnavailable | null = null,
  at: string | null = null,
): StoreUnavailable {
  if (fault instanceof StoreUnavailable) return fault;
  const code = replyCode(fault);
  if (code !== null)
    return (
      redirection(fault) ??
      new StoreUnavailable(CODES[code]?.[0] ?? 'refused', code, atServer(at, messageOf(code)))
    );
  if (lastConnectFault !== null) return lastConnectFault;
  const system = systemCode(fault);
  const why =
    system === null
      ? 'no answer in time or connection lost'
      : [system, CONNECTING[system]].filter((part) => part !== undefined).join(': ');
  return new StoreUnavailable(
    'unreachable',
    system,
    atServer(at, `Redis cannot be reached (${why})`),
  );
}

function atServer(at: string | null, message: string): string {
  return at === null ? message : `${at}: ${message}`;
}

function messageOf(code: string): string {
  const words = CODES[code]?.[1];
  return words === undefined ? `Redis answered ${code}` : `Redis answered ${code}: ${words}`;
}

function redirection(fault: unknown): Redirected | null {
  const [, code, slot, host = '', port] = REDIRECT.exec((fault as Error).message) ?? [];
  if (code !== 'MOVED' && code !== 'ASK') return null;
  return new Redirected(code, Number(slot), host.replace(/^\[|\]$/g, ''), Number(port));
}

/** `ECONNREFUSED`, `CERT_HAS_EXPIRED`: what Node puts on errors of sockets and TLS. */
function systemCode(fault: unknown): string | null {
  const code = (fault as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}
