import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';

/** A socket file that cannot be opened. The message names the file and the reason. */
export class SocketFileFault extends Error {
  override readonly name = 'SocketFileFault';

  constructor(path: string, why: string) {
    super(`cannot listen on the socket ${path}: ${why}`);
  }
}

/** Whoever may write to it may connect: the gate's user and group. */
const MODE = 0o660;
/** What keeps everybody else out from the first moment on, before the mode is set. */
const UMASK = 0o007;

/** libuv says EACCES for a folder that is not there, too. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  EACCES: 'its folder is not there, or this user may not write there',
  EADDRINUSE: 'another process listens there already',
  EROFS: 'the file system is read-only',
};

/**
 * Resolves once `server` listens on a socket file, which is removed when it closes. A file that is
 * there is removed only where it is a socket on which nobody accepts: what a process has left that
 * was killed. Throws `SocketFileFault`.
 */
export async function listenOnFile(server: Server, path: string, backlog: number): Promise<void> {
  try {
    await bind(server, path, backlog).catch(async (fault: NodeJS.ErrnoException) => {
      if (fault.code !== 'EADDRINUSE') throw fault;
      await removeStale(path);
      await bind(server, path, backlog);
    });
  } catch (fault) {
    if (fault instanceof SocketFileFault) throw fault;
    const { code = 'unknown' } = fault as NodeJS.ErrnoException;
    throw new SocketFileFault(path, EXPLANATIONS[code] ?? code);
  }
}

/** bind() happens inside listen(), so the umask leaves no moment in which others could connect. */
async function bind(server: Server, path: string, backlog: number): Promise<void> {
  const up = Promise.withResolvers<void>();
  server.once('error', up.reject);
  const umask = process.umask(UMASK);
  try {
    server.listen({ path, backlog }, up.resolve);
  } finally {
    process.umask(umask);
  }
  try {
    await up.promise;
  } finally {
    server.off('error', up.reject).off('listening', up.resolve);
  }
  chmodSync(path, MODE);
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SocketFileFault(path, 'something else than a socket is there; it is left alone');
  const code = await connectFault(path);
  if (code === null) throw new SocketFileFault(path, EXPLANATIONS.EADDRINUSE!);
  if (code !== 'ECONNREFUSED')
    throw new SocketFileFault(path, `whether anybody accepts there cannot be known (${code})`);
  // Another process may have taken the place meanwhile.
  if (lstatSync(path, { throwIfNoEntry: false })?.ino !== found.ino)
    throw new SocketFileFault(path, EXPLANATIONS.EADDRINUSE!);
  unlinkSync(path);
}

/** Why nobody accepts there; null: somebody does. */
function connectFault(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(null);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'unknown'));
  });
}
