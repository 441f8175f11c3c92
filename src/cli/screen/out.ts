import { UsageError } from '../exit.ts';
import { Pager } from './pager.ts';
import { holdStatus, wipeStatus } from './status.ts';

/**
 * Where text goes: results to standard output, what is said about them to standard error. Both go
 * through a pager where a person reads them by one, and into a snapshot while something is watched.
 */
interface Sink {
  out(text: string): void;
  err(text: string): void;
}

const STREAMS: Sink = {
  out(text) {
    wipeStatus();
    process.stdout.write(text);
  },
  err(text) {
    wipeStatus();
    process.stderr.write(text);
  },
};

/** Characters of one look at what is watched. */
const SNAPSHOT_MOST = 16 * 1024 * 1024;

let sink = STREAMS;

export function writeOut(text: string): void {
  sink.out(text);
}

export function writeErr(text: string): void {
  sink.err(text);
}

/** What is written while it is done, instead of writing it. */
export async function snapshotOf(work: () => Promise<void>): Promise<Snapshot> {
  const snapshot = { out: '', err: '' };
  const before = sink;
  const keep = (stream: keyof Snapshot) => (text: string) => {
    snapshot[stream] += text;
    if (snapshot[stream].length > SNAPSHOT_MOST)
      throw new UsageError('this is too much to watch: narrow it down, or say --limit');
  };
  sink = { out: keep('out'), err: keep('err') };
  try {
    await work();
  } finally {
    sink = before;
  }
  return snapshot;
}

export interface Snapshot {
  readonly out: string;
  readonly err: string;
}

let pager: Pager | null = null;

/** Lets a person read what comes by a pager, which is started when something does. */
export function pageBy(command: string, environment: NodeJS.ProcessEnv): void {
  const paged = () => {
    holdStatus();
    pager ??= new Pager(command, environment);
    return pager;
  };
  sink = {
    out: (text) => paged().write(text),
    // Else it would be written across what the pager shows.
    err: (text) => (process.stderr.isTTY === true ? paged().write(text) : STREAMS.err(text)),
  };
}

/** To be waited for by who writes much. */
export async function readOn(): Promise<void> {
  await pager?.drained();
}

/** Ends when the person has left the pager, if there is one. */
export async function endPaging(): Promise<void> {
  const open = pager;
  pager = null;
  sink = STREAMS;
  await open?.end();
}
