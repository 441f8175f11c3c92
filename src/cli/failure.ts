import { AdminError } from '../admin/error.ts';
import { SocketPathTooLong } from '../admin/owner-protocol.ts';
import { AuditUnavailable } from '../audit/port.ts';
import { DataDirFault } from '../config/data-dir.ts';
import { ConfigFaults } from '../config/faults.ts';
import { SocketFileFault } from '../doors/socket-file.ts';
import { ListenFault } from '../ops/listen.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { StoreInUse, StoreUnavailable } from '../store/fault.ts';
import { AccessLogFault } from '../telemetry/access/log.ts';
import { CertificateFault } from '../tls/certificate.ts';
import { Refused, Shown, UsageError } from './exit.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { visible } from './screen/visible.ts';

/** One line for people, as short as it can be and still say what to do. */
export interface Failure {
  readonly code: ExitCode;
  readonly lines: readonly string[];
}

/** What a server or a file has put into it does not drive the terminal. */
export function failureOf(error: unknown): Failure {
  const { code, lines } = failureIn(error);
  return { code, lines: lines.map(visible) };
}

function failureIn(error: unknown): Failure {
  if (error instanceof Shown) return { code: EXIT.done, lines: [] };
  if (error instanceof AdminError)
    return {
      code: error.code === 'unavailable' ? EXIT.unreachable : EXIT.refused,
      lines: adminLines(error),
    };
  if (error instanceof Refused) return { code: EXIT.refused, lines: [error.message] };
  if (error instanceof ConfigFaults) return { code: EXIT.usage, lines: error.message.split('\n') };
  if (error instanceof StoreInUse) {
    return {
      code: EXIT.unreachable,
      lines: [
        `${error.message}: an embedded store has one owner at a time (if a gate is just starting, try again in a moment)`,
      ],
    };
  }
  if (isOf(error, FAULTS_OF_WORDS)) return { code: EXIT.usage, lines: [error.message] };
  // Nothing can be said about any account: not "not found".
  if (error instanceof RegistryUnavailable && (error.why === 'empty' || error.why === 'foreign'))
    return { code: EXIT.unreachable, lines: [error.message] };
  if (isOf(error, [StoreUnavailable, RegistryUnavailable, AuditUnavailable])) {
    return { code: EXIT.unreachable, lines: [`the store cannot be used: ${error.message}`] };
  }
  return systemFailure(error);
}

const FAULTS_OF_WORDS = [
  UsageError,
  DataDirFault,
  ListenFault,
  SocketFileFault,
  SocketPathTooLong,
  CertificateFault,
  AccessLogFault,
];

/** All faults of an input, one line each, so that nobody mends them one by one. */
function adminLines(error: AdminError): readonly string[] {
  return error.faults.length > 1
    ? error.faults.map(({ field, message }) => `${field}: ${message}`)
    : [error.message];
}

function isOf(
  error: unknown,
  classes: readonly (abstract new (...args: never[]) => Error)[],
): error is Error {
  return classes.some((one) => error instanceof one);
}

function systemFailure(error: unknown): Failure {
  const { code, syscall, message } = (error ?? {}) as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE')
    return {
      code: EXIT.usage,
      lines: [`${addressOf(error)} is already in use by another process`],
    };
  if (code === 'EADDRNOTAVAIL')
    return { code: EXIT.usage, lines: [`this machine has no address ${addressOf(error)}`] };
  if (code === 'EACCES' && syscall === 'listen')
    return { code: EXIT.usage, lines: [`this user may not listen on ${addressOf(error)}`] };
  return {
    code: EXIT.refused,
    lines: [
      `something unexpected went wrong: ${message ?? String(error)} (SALLYPORT_DEBUG=1 shows where)`,
    ],
  };
}

function addressOf(error: unknown): string {
  const { address, port } = error as { address?: string; port?: number };
  return port === undefined
    ? 'the address'
    : `port ${port}${address === undefined ? '' : ` on ${address}`}`;
}
