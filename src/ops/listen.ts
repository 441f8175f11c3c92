import type { Server } from 'node:net';

/** A port that cannot be opened. The message names the key of the configuration and the reason. */
export class ListenFault extends Error {
  override readonly name = 'ListenFault';
  /** Node's code, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there already',
  EACCES: 'this user may not open that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAFNOSUPPORT: 'this machine does not speak that address family',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
};

/**
 * Resolves once `server` listens. `setting`: the key of the configuration, `listen.ops`. Throws
 * `ListenFault`.
 */
export async function listen(
  server: Server,
  address: { host: string; port: number },
  setting: string,
): Promise<void> {
  const up = Promise.withResolvers<void>();
  const onError = (fault: NodeJS.ErrnoException) => up.reject(listenFault(fault, address, setting));
  server.once('error', onError);
  server.listen({ host: address.host, port: address.port }, () => up.resolve());
  try {
    await up.promise;
  } finally {
    server.off('error', onError);
  }
}

function listenFault(
  fault: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
  setting: string,
): ListenFault {
  const code = fault.code ?? 'unknown';
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new ListenFault(
    code,
    `${setting}: cannot listen on ${where}: ${EXPLANATIONS[code] ?? code}`,
  );
}
