import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../system.ts';
import type { Commands } from './commands.ts';

const READY_MS = 30_000;
const END_MS = 30_000;
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

/** A Docker engine that answers. */
export interface Engine {
  /** Ours alone, with nothing in it; else the machine's, where only what is ours may be touched. */
  readonly own: boolean;
  readonly commands: Commands;
  /** An own engine is ended, and the machine's network is as it was. Another is left alone. */
  stop(): Promise<void>;
}

/** The engine that this machine runs already, or null. */
export async function machinesEngine(commands: Commands): Promise<Engine | null> {
  if (findProgram('docker') === null || (await commands.outcome('docker', 'info')).code !== 0)
    return null;
  return { own: false, commands, stop: async () => {} };
}

/** Starts an engine with its data and its socket in `folder`. Needs root, dockerd and iptables. */
export async function startEngine(folder: string, commands: Commands): Promise<Engine> {
  const before = await networkOf(commands);
  const words = [
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(folder, 'run'),
    '-p',
    join(folder, 'pid'),
  ];
  const socket = `unix://${join(folder, 'socket')}`;
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'log');
  const output = openSync(log, 'w');
  const dockerd = spawn(
    findProgram('dockerd')!,
    [...words, '-H', socket, '--storage-driver', 'overlay2', '--oom-score-adjust', '0'],
    // In a group of its own: Ctrl-C is for us, and we end it after what runs in it.
    { stdio: ['ignore', output, output], detached: true },
  );
  // The classic builder needs no plugin, and compose 1.29 is told not to look for one.
  const inside = commands.with({
    DOCKER_HOST: socket,
    DOCKER_BUILDKIT: '0',
    COMPOSE_DOCKER_CLI_BUILD: '0',
  });
  const stop = async () => {
    await end(dockerd);
    await restoreNetwork(commands.with({}, null), before);
    await unmountBelow(folder, commands.with({}, null));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answers(dockerd, inside, log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { own: true, commands: inside, stop };
}

async function answers(dockerd: ChildProcess, commands: Commands, log: string): Promise<void> {
  const limit = performance.now() + READY_MS;
  while ((await commands.outcome('docker', 'info')).code !== 0) {
    if (dockerd.exitCode !== null || performance.now() > limit)
      throw new Error(`dockerd does not come up: ${readFileSync(log, 'utf8').slice(-1_000)}`);
    await sleep(100);
  }
}

async function end(dockerd: ChildProcess): Promise<void> {
  if (dockerd.exitCode !== null || dockerd.signalCode !== null) return;
  const gone = once(dockerd, 'exit');
  const timer = setTimeout(() => dockerd.kill('SIGKILL'), END_MS);
  dockerd.kill('SIGTERM');
  await gone;
  clearTimeout(timer);
}

/** What dockerd changes and does not put back. */
interface Network {
  readonly forwardPolicy: string;
  readonly forwarding: string;
}

async function networkOf(commands: Commands): Promise<Network> {
  const rules = await commands.run('iptables', '-S', 'FORWARD');
  return {
    forwardPolicy: /^-P FORWARD (\w+)/m.exec(rules)?.[1] ?? 'ACCEPT',
    forwarding: readFileSync(FORWARDING, 'utf8'),
  };
}

async function restoreNetwork(commands: Commands, before: Network): Promise<void> {
  await commands.outcome('iptables', '-P', 'FORWARD', before.forwardPolicy);
  for (const table of ['filter', 'nat']) {
    const rules = (await commands.outcome('iptables', '-t', table, '-S')).out
      .split('\n')
      .filter((rule) => /DOCKER|docker0/.test(rule));
    // First the rules, then the chains that nothing leads to any more.
    for (const rule of rules.filter((one) => one.startsWith('-A ')))
      await commands.outcome('iptables', '-t', table, '-D', ...rule.slice('-A '.length).split(' '));
    for (const rule of rules.filter((one) => one.startsWith('-N ')))
      await commands.outcome('iptables', '-t', table, '-X', rule.slice('-N '.length));
  }
  await commands.outcome('ip', 'link', 'delete', 'docker0');
  writeFileSync(FORWARDING, before.forwarding);
}

/** Namespaces and layers that stayed mounted: a folder with mounts in it cannot be removed. */
async function unmountBelow(folder: string, commands: Commands): Promise<void> {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const point of points.reverse()) await commands.outcome('umount', '--lazy', point);
}
