import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The parts of the system that tests run for real, with the Debian package that brings each, and
 * the rings that use it.
 */
const PARTS = {
  'redis-server': {
    package: 'redis-server',
    rings: [
      'contract',
      'integration',
      'engines',
      'limits',
      'upstreams',
      'processes',
      'fault',
      'security',
      'browser',
      'world',
      'bench',
    ],
  },
  'redis-cli': { package: 'redis-tools', rings: ['integration', 'engines', 'processes', 'fault'] },
  nginx: {
    package: 'nginx',
    rings: ['integration', 'clients', 'upstreams', 'processes', 'fault', 'world', 'bench'],
  },
  curl: {
    package: 'curl',
    rings: ['integration', 'clients', 'processes', 'security', 'world', 'docker'],
  },
  git: { package: 'git', rings: ['integration', 'processes', 'world'] },
  wget: { package: 'wget', rings: ['integration', 'clients', 'world'] },
  openssl: {
    package: 'openssl',
    rings: ['unit', 'integration', 'engines', 'upstreams', 'processes', 'security', 'world'],
  },
  python3: {
    package: 'python3',
    rings: ['integration', 'clients', 'engines', 'processes', 'world'],
  },
  'python3-requests': { package: 'python3-requests', rings: ['integration', 'clients', 'world'] },
  'python3-jwt': { package: 'python3-jwt', rings: ['clients'] },
  go: { package: 'golang-go', rings: ['clients'] },
  'nginx-js': { package: 'libnginx-mod-http-js', rings: ['clients'] },
  'python3-websockets': { package: 'python3-websockets', rings: ['clients'] },
  'docker-compose': { package: 'docker-compose', rings: ['processes', 'docker'] },
  docker: { package: 'docker.io', rings: ['docker'] },
  dockerd: { package: 'docker.io', rings: ['docker'] },
  iptables: { package: 'iptables', rings: ['docker'] },
  mmdebstrap: { package: 'mmdebstrap', rings: ['docker'] },
  promtool: { package: 'prometheus', rings: ['integration', 'engines'] },
  prometheus: { package: 'prometheus', rings: ['engines'] },
  chromium: { package: 'chromium', rings: ['browser'] },
  cc: { package: 'gcc', rings: ['engines'] },
  prlimit: { package: 'util-linux', rings: ['limits'] },
  unshare: { package: 'util-linux', rings: ['world'] },
  wrk: { package: 'wrk', rings: ['bench'] },
  h2load: { package: 'nghttp2-client', rings: ['bench'] },
  'nginx-lua': { package: 'libnginx-mod-http-lua', rings: ['bench'] },
  haproxy: { package: 'haproxy', rings: ['integration', 'clients', 'processes', 'world', 'bench'] },
  ip: { package: 'iproute2', rings: ['world'] },
  podman: { package: 'podman', rings: ['kubernetes'] },
  catatonit: { package: 'catatonit', rings: ['kubernetes'] },
  caddy: { package: 'caddy', rings: ['clients', 'bench'] },
  npm: { package: 'npm', rings: ['processes'] },
  pip: { package: 'python3-pip', rings: ['processes'] },
} as const;

export type Part = keyof typeof PARTS;

/** A module is no program: it lies where Debian's nginx looks for it. */
const NGINX_MODULES: Partial<Record<Part, string>> = {
  'nginx-lua': '/usr/lib/nginx/modules/ngx_http_lua_module.so',
  'nginx-js': '/usr/lib/nginx/modules/ngx_http_js_module.so',
};
/** Likewise one of Python's. */
const PYTHON_MODULES: Partial<Record<Part, string>> = {
  'python3-requests': 'requests',
  'python3-jwt': 'jwt',
  'python3-websockets': 'websockets',
};

/**
 * What `ctx` of vitest offers; named here so that this file also serves scripts that run without
 * vitest.
 */
interface Skippable {
  skip(reason: string): never;
}

/** Whether the part is here and can be run. */
export function have(part: Part): boolean {
  const file = NGINX_MODULES[part];
  if (file !== undefined) return existsSync(file);
  const module = PYTHON_MODULES[part];
  return module === undefined ? findProgram(part) !== null : pythonWith(module) !== null;
}

/** Skips the test, with the reason, when a part is missing. */
export function requireOrSkip(ctx: Skippable, ...parts: readonly Part[]): void {
  const missing = parts.filter((part) => !have(part));
  if (missing.length > 0) ctx.skip(`not installed: ${missing.join(', ')}`);
}

/**
 * The program's path by PATH, or null. Also looks where Debian puts daemons: /usr/sbin is not on
 * everybody's PATH.
 */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/**
 * A Python that can import a module, or null. Debian's first: the first `python3` of PATH may not
 * see Debian's packages.
 */
export function pythonWith(module: string): string | null {
  const known = knownPythons.get(module);
  if (known !== undefined) return known;
  const found = ['/usr/bin/python3', 'python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0,
  );
  if (found !== undefined) knownPythons.set(module, found);
  return found ?? null;
}

/** Only a find is kept: what is missing now may be installed a moment later. */
const knownPythons = new Map<string, string>();

/**
 * Brings what the rings need. As root on a Debian it installs what is missing, and says so;
 * elsewhere it names it in one line, and the tests that need it skip. Never throws: a test that
 * lacks a part says so itself.
 */
export function prepare(rings: readonly string[]): void {
  const packages = missingPackages(rings);
  if (packages.length === 0) return;
  if (!canInstall()) {
    console.log(
      `Not installed, so what needs it is skipped: ${packages.join(' ')} (names of Debian packages)`,
    );
    return;
  }
  console.log(`Installing with apt-get, because the tests run them: ${packages.join(' ')}`);
  withoutStartingDaemons(() => {
    const failed = ['update', 'install'].find(
      (verb) => aptGet(verb, verb === 'install' ? packages : []) !== 0,
    );
    if (failed !== undefined)
      console.log(
        `apt-get ${failed} failed; what needs these packages is skipped: ${packages.join(' ')}`,
      );
  });
}

function missingPackages(rings: readonly string[]): string[] {
  const parts = Object.entries(PARTS) as [Part, { package: string; rings: readonly string[] }][];
  const missing = parts.filter(
    ([part, { rings: users }]) => users.some((ring) => rings.includes(ring)) && !have(part),
  );
  return [...new Set(missing.map(([, p]) => p.package))];
}

function canInstall(): boolean {
  return (
    process.getuid?.() === 0 && existsSync('/etc/debian_version') && findProgram('apt-get') !== null
  );
}

/**
 * Answers the exit status. Only apt-get's errors are shown: its progress would bury the tests' own
 * lines.
 */
function aptGet(verb: string, packages: readonly string[]): number {
  const options = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync('apt-get', [verb, ...options, ...packages], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return result.status ?? 1;
}

/**
 * Debian starts redis-server and nginx when it installs them; the tests start their own, on ports
 * of their own.
 */
function withoutStartingDaemons(install: () => void): void {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
