import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { parse } from 'yaml';
import { startRedis } from '../support/redis-server.ts';
import { findProgram, requireOrSkip } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUILD_MS = 300_000;
const COMMAND_MS = 50_000;

interface Service {
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly (string | { readonly host_ip?: string })[];
  readonly privileged?: boolean;
  readonly healthcheck?: unknown;
}

describe('docker-compose.yml', () => {
  it('is accepted without a word of complaint', (ctx) => {
    const { status, stderr } = compose(ctx, 'config', '--quiet');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('gives no service more than it needs, and opens ports to this machine only', (ctx) => {
    const { services } = parse(compose(ctx, 'config').stdout) as {
      services: Record<string, Service>;
    };
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining(['gate', 'init', 'redis', 'sample', 'setup']),
    );
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(service.privileged ?? false, name).toBe(false);
      for (const port of service.ports ?? [])
        expect(typeof port === 'string' ? port : port.host_ip, name).toMatch(/^127\.0\.0\.1/);
    }
  });
});

/**
 * The same files, scripts and steps as in docker-compose.yml, with processes in place of
 * containers: shown also where no engine runs.
 */
describe('the steps of docker-compose.yml', () => {
  let home = '';
  const cleanups: (() => Promise<unknown>)[] = [];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'sallyport-compose-'));
    for (const folder of ['gate', 'manage', 'redis', 'data'])
      mkdirSync(join(home, folder), { mode: 0o700 });
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    rmSync(home, { recursive: true, force: true });
  });

  it('lead from nothing to a call that is let in, and again without losing anything', {
    timeout: 60_000,
  }, async (ctx) => {
    requireOrSkip(ctx, 'redis-server');
    init();
    const before = secrets();
    init();
    expect(secrets()).toEqual(before);

    const sample = await start(
      ['sample', '--port', '0'],
      {},
      (line) => /listens on (\S+)/.exec(line)?.[1],
    );
    const aclFile = join(home, 'redis', 'users.acl');
    const redis = await startRedis({
      aclFile,
      configFile: join(ROOT, 'config/redis/redis.conf'),
      appendOnly: true,
    });
    cleanups.push(() => redis.stop());
    const config = writeConfig(redis.port, sample);
    expect(setup(config)).toContain('deployer');
    expect(setup(config)).toBe('');

    const created = manage(config, 'account', 'create', 'ci', '--role', 'viewer', '--json');
    const token = /slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/.exec(created)?.[0] ?? '';
    const { port, opsPort } = await start(
      ['serve', '--config', config],
      asUser('gate', 'gate', config),
      openedOn,
    );
    expect((await fetch(`http://127.0.0.1:${opsPort}/readyz`)).status).toBe(200);
    const path = '/lifetimeapi/rest/v2/environments';
    expect(curl(ctx, port, path, token)).toBe(200);
    expect(curl(ctx, port, path, null)).toBe(401);
    expect(manage(config, 'activity', 'ci')).toContain(path);
  });

  function init(): void {
    run(process.execPath, [join(ROOT, 'config/docker/init.ts'), home], {});
  }

  function secrets(): string[] {
    return ['gate/tls.key', 'gate/ca.pem', 'gate/redis.password', 'manage/redis.password'].map(
      (path) => readFileSync(join(home, path), 'utf8'),
    );
  }

  /** gate.yaml with the containers' names and folders replaced by what stands for them here. */
  function writeConfig(redisPort: number, sampleUrl: string): string {
    const text = readFileSync(join(ROOT, 'config/docker/gate.yaml'), 'utf8')
      .replaceAll('/run/sallyport', home)
      .replace('/var/lib/sallyport', join(home, 'data'))
      .replace('redis://redis:6379', `redis://127.0.0.1:${redisPort}`)
      .replace('http://sample:8080', sampleUrl)
      .replace('0.0.0.0:8443', '127.0.0.1:0')
      .replace('0.0.0.0:9464', '127.0.0.1:0');
    const path = join(home, 'gate.yaml');
    writeFileSync(path, text);
    return path;
  }

  function setup(config: string): string {
    return run('sh', [join(ROOT, 'config/docker/setup.sh')], asUser('manager', 'manage', config));
  }

  function manage(config: string, ...words: string[]): string {
    return run(
      'sh',
      [join(ROOT, 'config/docker/manage.sh'), ...words],
      asUser('manager', 'manage', config),
    );
  }

  /**
   * Starts Sallyport, to be ended with the test, and answers what `pick` finds in a line of its
   * output.
   */
  async function start<T>(
    words: readonly string[],
    env: Record<string, string>,
    pick: (line: string) => T | undefined,
  ): Promise<T> {
    const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), ...words], {
      env: { ...process.env, ...env },
    });
    const gone = once(child, 'exit');
    cleanups.push(() => {
      child.kill('SIGKILL');
      return gone;
    });
    const said: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (line) => {
        said.push(line);
        const found = pick(line);
        if (found !== undefined) resolve(found);
      });
    }
    child.once('exit', () =>
      reject(new Error(`sallyport ${words[0]} does not start: ${said.join('\n')}`)),
    );
    return await promise;
  }

  function curl(ctx: TestContext, port: number, path: string, token: string | null): number {
    requireOrSkip(ctx, 'curl');
    const words = [
      '-q',
      '-sS',
      '--cacert',
      join(home, 'gate/ca.pem'),
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
    ];
    const authorization = token === null ? [] : ['-H', `Authorization: Bearer ${token}`];
    return Number(
      run('curl', [...words, ...authorization, `https://localhost:${port}${path}`], {}),
    );
  }

  function asUser(user: string, folder: string, config: string): Record<string, string> {
    const path = `${join(ROOT, 'bin')}:${process.env.PATH}`;
    return {
      PATH: path,
      SALLYPORT_STORE_USER: user,
      SALLYPORT_SECRETS: join(home, folder),
      SALLYPORT_CONFIG: config,
    };
  }
});

describe('the image', () => {
  it('is built, and answers', { timeout: BUILD_MS }, (ctx) => {
    const docker = engineOrSkip(ctx);
    const tag = `sallyport-test:${process.pid}`;
    try {
      const built = spawnSync(docker, ['build', '--quiet', '--tag', tag, ROOT], {
        encoding: 'utf8',
        timeout: BUILD_MS,
      });
      expect(built.status, built.stderr).toBe(0);
      const hardened = ['run', '--rm', '--read-only', '--cap-drop=ALL', '--network=none', tag];
      const asked = spawnSync(docker, [...hardened, '--version'], {
        encoding: 'utf8',
        timeout: BUILD_MS,
      });
      expect({ status: asked.status, stderr: asked.stderr }).toEqual({ status: 0, stderr: '' });
    } finally {
      spawnSync(docker, ['image', 'rm', '--force', tag], { stdio: 'ignore' });
    }
  });
});

/** docker-compose, or the plugin of docker. */
function compose(
  ctx: TestContext,
  ...words: string[]
): { status: number | null; stdout: string; stderr: string } {
  const alone = findProgram('docker-compose');
  const docker = findProgram('docker');
  const plugin =
    alone === null && docker !== null && spawnSync(docker, ['compose', 'version']).status === 0;
  if (!plugin) requireOrSkip(ctx, 'docker-compose');
  const [command, ...first] = plugin ? [docker, 'compose'] : [alone!];
  return spawnSync(command, [...first, '--file', join(ROOT, 'docker-compose.yml'), ...words], {
    cwd: ROOT,
    encoding: 'utf8',
  });
}

function engineOrSkip(ctx: TestContext): string {
  const docker = findProgram('docker');
  if (docker === null || spawnSync(docker, ['info'], { timeout: 30_000 }).status !== 0)
    ctx.skip('no Docker engine answers');
  const base = /^ARG BASE=(\S+)/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '';
  const there =
    spawnSync(docker, ['image', 'inspect', base]).status === 0 ||
    spawnSync(docker, ['pull', '--quiet', base]).status === 0;
  if (!there) ctx.skip(`the image ${base} cannot be had`);
  return docker;
}

/** The ports out of the log line that says that the gate is open. */
function openedOn(line: string): { port: number; opsPort: number } | undefined {
  if (!line.startsWith('{') || !line.includes('the gate is open')) return undefined;
  const { proxy, ops } = JSON.parse(line) as { proxy: { port: number }; ops: { port: number } };
  return { port: proxy.port, opsPort: ops.port };
}

/** Standard output; throws, with what was said, when the command fails. */
function run(command: string, words: readonly string[], env: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync(command, words, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: COMMAND_MS,
  });
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}
