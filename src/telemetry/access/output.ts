import { close, closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { isPipe } from '../standard-error.ts';

const STANDARD_OUTPUT = 1;
/** Whoever the group is may read it; nobody else. */
const MODE = 0o640;

/** Where text goes. One write at a time; none waits for a reader who stands still. */
export interface Output {
  /** Calls back once it is written, or has failed. */
  write(text: Buffer, done: (fault: Error | null) => void): void;
  /**
   * Opens the file of that name anew; throws what the system says, and goes on with the old one.
   */
  reopen(): void;
  close(): void;
}

/** What it would be written to is no file: whoever is at its other end could hold us up. */
export class NoFile extends Error {
  override readonly name = 'NoFile';
}

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;

/**
 * Opens a file, or a device such as /dev/null, without ever waiting. Opening a pipe waits for its
 * reader, and so would the whole process; and a write to it can wait in a thread for ever.
 *
 * @returns the descriptor. Throws `NoFile`, and what the system says
 */
function openFile(path: string): number {
  const descriptor = openOrNoReader(path);
  const stat = fstatSync(descriptor);
  if (stat.isFile() || stat.isCharacterDevice()) return descriptor;
  closeSync(descriptor);
  throw new NoFile(NOT_ONE);
}

function openOrNoReader(path: string): number {
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, MODE);
  } catch (fault) {
    // Of a pipe that nobody reads, and of a socket.
    if ((fault as NodeJS.ErrnoException).code === 'ENXIO') throw new NoFile(NOT_ONE);
    throw fault;
  }
}

const NOT_ONE = 'is a pipe or a socket, and no file';

/**
 * At the end of a file, which is made where there is none. Throws as `open` does.
 *
 * @param open makes a descriptor for it
 */
export function fileOutput(path: string, open: (path: string) => number = openFile): Output {
  let descriptor = open(path);
  /** A write is under way. */
  let writes = false;
  /** To be closed behind it: then others get the number, such as a client's socket. */
  let former: number[] = [];
  let closed = false;
  const closeFormer = () => {
    for (const one of former) close(one, () => {});
    former = [];
  };
  const leave = () => {
    former.push(descriptor);
    if (!writes) closeFormer();
  };
  return {
    write(text, done) {
      if (closed) {
        done(new Error('the file was closed'));
        return;
      }
      writes = true;
      writeAll(descriptor, text, (fault) => {
        writes = false;
        closeFormer();
        done(fault);
      });
    },
    reopen() {
      const next = open(path);
      leave();
      descriptor = next;
    },
    close() {
      closed = true;
      leave();
    },
  };
}

/**
 * A pipe by a socket on its descriptor: a write from a thread would wait in it for a reader who
 * stands still, and hold the thread.
 */
export function standardOutput(): Output {
  const nothing = () => {};
  if (!isPipe(STANDARD_OUTPUT))
    return {
      write: (text, done) => writeAll(STANDARD_OUTPUT, text, done),
      reopen: nothing,
      close: nothing,
    };
  const socket = new Socket({ fd: STANDARD_OUTPUT, readable: false, writable: true });
  socket.on('error', nothing);
  socket.unref();
  return {
    write: (text, done) => void socket.write(text, (fault) => done(fault ?? null)),
    reopen: nothing,
    // What still waits would keep the process alive.
    close: () => socket.destroy(),
  };
}

function writeAll(descriptor: number, text: Buffer, done: (fault: Error | null) => void): void {
  write(descriptor, text, (fault, written) => {
    if (fault === null && written < text.length) writeAll(descriptor, text.subarray(written), done);
    else done(fault);
  });
}
