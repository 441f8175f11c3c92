import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN } from '../main.ts';

const READY_MS = 60_000;
const ASK_MS = 10_000;

/** A gate in a process of its own, behind whatever balances. */
export interface Gate {
  readonly port: number;
  readonly opsPort: number;
  readonly file: string;
  child: ChildProcess;
}

export function startGate(file: string): ChildProcess {
  return spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: 'ignore' });
}

export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

export async function readyAgain({ opsPort }: Gate): Promise<void> {
  await waitUntil('a gate is ready', () => isReady(opsPort));
}

export async function isReady(opsPort: number): Promise<boolean> {
  return (await ask(opsPort, '/readyz')).status === 200;
}

/** On a connection of its own, as balancers ask; status 0 when there is no answer in time. */
export function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const none = () => resolve({ status: 0, body: '' });
    const asked = httpGet({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', none);
    });
    asked.setTimeout(ASK_MS, () => asked.destroy());
    asked.once('error', none).once('close', none);
  });
}

export async function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + READY_MS; !(await holds()); await sleep(50))
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
}
