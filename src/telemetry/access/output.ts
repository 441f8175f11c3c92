import { close, openSync, write } from 'node:fs';
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

/** At the end of a file, which is made where there is none. Throws what the system says. */
export function fileOutput(path: string): Output {
  const open = () => openSync(path, 'a', MODE);
  let descriptor = open();
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
      const next = open();
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
