import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import { findProgram } from '../system.ts';
import type { Commands, Outcome } from './commands.ts';

const HEALTHY_MS = 60_000;
const EVERY_MS = 200;

/** docker-compose.yml of this repository, under a project name and on ports of its own. */
export class Stack {
  readonly project: string;
  readonly image: string;
  readonly ports: { readonly gate: number; readonly ops: number; readonly console: number };
  /** Where `trust` puts the CA's certificate. */
  readonly caFile: string;
  readonly #commands: Commands;
  readonly #compose: readonly [string, ...string[]];

  private constructor(project: string, folder: string, ports: Stack['ports'], commands: Commands) {
    this.project = project;
    this.image = `${project}:local`;
    this.ports = ports;
    this.caFile = join(folder, 'ca.pem');
    this.#commands = commands.with({
      SALLYPORT_IMAGE: this.image,
      SALLYPORT_PORT: String(ports.gate),
      SALLYPORT_OPS_PORT: String(ports.ops),
      SALLYPORT_CONSOLE_PORT: String(ports.console),
    });
    const program = findProgram('docker-compose');
    this.#compose = [
      ...(program === null ? (['docker', 'compose'] as const) : ([program] as const)),
      '--project-name',
      project,
    ];
  }

  static async prepare(project: string, folder: string, commands: Commands): Promise<Stack> {
    const [gate, ops, console] = await Promise.all([freePort(), freePort(), freePort()]);
    return new Stack(project, folder, { gate, ops, console }, commands);
  }

  get url(): string {
    return `https://localhost:${this.ports.gate}`;
  }

  docker(...words: readonly string[]): Promise<string> {
    return this.#commands.run('docker', ...words);
  }

  compose(...words: readonly string[]): Promise<string> {
    const [program, ...first] = this.#compose;
    return this.#commands.run(program, ...first, ...words);
  }

  /** The command line, with the rights of the Redis user `manager`. */
  async manage(...words: readonly string[]): Promise<string> {
    return (await this.compose('run', '--rm', '-T', 'manage', ...words)).trim();
  }

  /** Runs a command in a container that runs. */
  async inside(service: string, ...words: readonly string[]): Promise<Outcome> {
    return this.#commands.outcome('docker', 'exec', await this.container(service), ...words);
  }

  /**
   * Ids of containers, running or not; without a service, of all that compose started. Asked of
   * docker: compose takes ten times as long.
   */
  async containers(service?: string): Promise<readonly string[]> {
    const labels = [
      `project=${this.project}`,
      'oneoff=False',
      ...(service === undefined ? [] : [`service=${service}`]),
    ];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    return (await this.docker('ps', '--all', '--quiet', ...filters))
      .split('\n')
      .filter((id) => id !== '');
  }

  async container(service: string): Promise<string> {
    const [id] = await this.containers(service);
    if (id === undefined) throw new Error(`there is no container of ${service}`);
    return id;
  }

  /** Fields of `docker inspect`. */
  async inspect<T>(service: string): Promise<T> {
    return (JSON.parse(await this.docker('inspect', await this.container(service))) as [T])[0];
  }

  /**
   * Resolves when the engine calls the service healthy; throws after a minute, with what the last
   * check said.
   */
  async healthy(service: string): Promise<void> {
    const limit = performance.now() + HEALTHY_MS;
    for (;;) {
      const { State: state } = await this.inspect<{
        State: { Health?: { Status: string; Log: readonly { Output: string }[] } };
      }>(service);
      if (state.Health?.Status === 'healthy') return;
      if (performance.now() > limit)
        throw new Error(`${service} is not healthy: ${JSON.stringify(state)}`);
      await sleep(EVERY_MS);
    }
  }

  /**
   * curl from outside; answers the status and the body. A connection that fails has the status 0.
   */
  async curl(
    url: string,
    token?: string,
    ...words: readonly string[]
  ): Promise<{ status: number; body: string }> {
    const all = [
      '-q',
      '-sS',
      '--max-time',
      '20',
      '--cacert',
      this.caFile,
      '-w',
      '\n%{http_code}',
      ...words,
    ];
    const { out } = await this.#commands.outcome(
      'curl',
      ...all,
      ...(token ? ['-H', `Authorization: Bearer ${token}`] : []),
      url,
    );
    const at = out.lastIndexOf('\n');
    return { status: Number(out.slice(at + 1)), body: out.slice(0, at) };
  }

  /** Fetches the CA's certificate, as docker-compose.yml says. */
  async trust(): Promise<void> {
    writeFileSync(
      this.caFile,
      await this.compose('exec', '-T', 'gate', 'cat', '/run/sallyport/gate/ca.pem'),
    );
  }

  /** Until /readyz answers 200. */
  async ready(): Promise<void> {
    await until(
      'the gate is ready',
      async () => (await this.curl(`http://127.0.0.1:${this.ports.ops}/readyz`)).status === 200,
    );
  }

  /** Both outputs of a container. */
  async logs(container: string): Promise<string> {
    const { out, err } = await this.#commands.outcome('docker', 'logs', container);
    return out + err;
  }

  /** A command of docker that clears away: also when all is to stop, and whatever comes of it. */
  async forget(...words: readonly string[]): Promise<void> {
    await this.#commands.with({}, null).outcome('docker', ...words);
  }

  /** Containers, networks, volumes and the image. */
  async clear(): Promise<void> {
    const [program, ...first] = this.#compose;
    const commands = this.#commands.with({}, null);
    await commands.run(
      program,
      ...first,
      '--profile',
      'manage',
      'down',
      '--volumes',
      '--remove-orphans',
      '--timeout',
      '5',
    );
    await this.forget('image', 'rm', '--force', this.image);
  }
}

/** Asks again until it is so; throws after a minute. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + HEALTHY_MS;
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`did not come true: ${what}`);
    await sleep(EVERY_MS);
  }
}
