import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Caller } from './callers.ts';
import type { Load } from './loads.ts';
import { mixedRequests } from './mixed.ts';
import type { RunningPeer } from './peers/peer.ts';
import type { Stage } from './stage.ts';

/** Clients at work. */
export interface Clients {
  /** Ends them. @returns what they saw */
  stop(): Promise<Seen>;
}

export interface Seen {
  readonly requests: number;
  /** From the sending of a request, or the opening of its connection, to the end of its answer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Connections and answers that failed, and answers of 4xx and 5xx. */
  readonly errors: number;
}

/** No run is longer; they are stopped before. */
const LONGEST_S = 600;

/**
 * Starts the clients of a load: wrk for connections that stay, a program of ours for those that do
 * not (wrk would resume every session). `rate`: requests per second; 0 = as fast as the answers
 * come.
 */
export function startClients(stage: Stage, peer: RunningPeer, load: Load, rate: number): Clients {
  const text = load.mixed
    ? mixedRequests(stage.callers, authorizeFor(peer), `127.0.0.1:${peer.port}`)
        .map((request) => `${request}\0`)
        .join('')
    : authorizationsOf(stage, peer, load).join('\n');
  const values = stage.file(stage.folder('clients'), 'values', text);
  return load.handshake === 'none'
    ? startWrk(stage, peer, load, rate, values)
    : startHandshakes(stage, peer, load, rate, values);
}

/** What the requests say in turn. Of ten, `refusedOfTen` bear the forged token. */
function authorizationsOf(stage: Stage, peer: RunningPeer, load: Load): readonly string[] {
  const good = stage.callers.slice(0, load.tokens).map(authorizeFor(peer));
  if (load.refusedOfTen === 0) return good;
  return Array.from({ length: 10 }, (_, n) =>
    (n * 3) % 10 < load.refusedOfTen ? stage.forged : good[0]!,
  );
}

export function authorizeFor(peer: RunningPeer): (caller: Caller) => string {
  return peer.authorization ?? (({ token }) => `Bearer ${token}`);
}

function startWrk(
  stage: Stage,
  peer: RunningPeer,
  load: Load,
  rate: number,
  values: string,
): Clients {
  const url = `http${load.secure ? 's' : ''}://127.0.0.1:${peer.port}${load.path}`;
  const script = join(import.meta.dirname, 'lua/wrk.lua');
  const words = [
    '-t1',
    `-c${load.connections}`,
    `-d${LONGEST_S}s`,
    '--timeout',
    '5s',
    '-s',
    script,
    url,
    '--',
  ];
  const method = load.mixed ? 'whole' : load.method;
  const request = [method, String(load.bodyBytes), String(rate), values];
  return startProgram(stage, 'wrk', [...words, ...request], load.refusedOfTen > 0);
}

function startHandshakes(
  stage: Stage,
  peer: RunningPeer,
  load: Load,
  rate: number,
  values: string,
): Clients {
  const program = join(import.meta.dirname, 'handshakes.ts');
  const words = [
    String(peer.port),
    load.path,
    load.handshake,
    String(load.connections),
    String(rate),
    values,
  ];
  return startProgram(stage, process.execPath, [program, ...words], false);
}

/** Both programs end on SIGINT and say what they saw in one line of JSON. */
function startProgram(
  stage: Stage,
  command: string,
  words: readonly string[],
  refusalsAreWanted: boolean,
): Clients {
  const child = spawn('taskset', ['-c', stage.cpus.load, command, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stopWithUs = () => child.kill('SIGKILL');
  process.once('exit', stopWithUs);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    output += String(chunk);
  });
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  return {
    async stop() {
      child.kill('SIGINT');
      await closed;
      process.off('exit', stopWithUs);
      return seenIn(output, refusalsAreWanted);
    },
  };
}

function seenIn(output: string, refusalsAreWanted: boolean): Seen {
  const line = output.split('\n').findLast((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`the clients said nothing of what they saw:\n${output}`);
  const seen = JSON.parse(line) as Record<string, number>;
  const failures = ['connectErrors', 'readErrors', 'writeErrors', 'timeouts'].reduce(
    (sum, name) => sum + (seen[name] ?? 0),
    0,
  );
  return {
    requests: seen.requests ?? 0,
    p50Ms: (seen.p50Us ?? Number.NaN) / 1000,
    p99Ms: (seen.p99Us ?? Number.NaN) / 1000,
    errors: failures + (refusalsAreWanted ? 0 : (seen.statusErrors ?? 0)),
  };
}
