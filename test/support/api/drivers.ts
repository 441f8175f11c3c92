import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Shell } from '../shell.ts';
import type { ApiBench } from './api.ts';

/** What one step of the story came to, in the same form whatever it was told through. */
export interface Outcome {
  /** `done`, or why not in a word that all ways have: `refused` (also: there is no such thing). */
  readonly said: 'done' | 'refused';
  readonly answer: Readonly<Record<string, never>>;
}

/** The story's verbs. */
export interface Driver {
  createRole(name: string, permissions: readonly string[]): Promise<Outcome>;
  createTeam(name: string, applications: readonly string[]): Promise<Outcome>;
  createAccount(name: string, team: string, role: string): Promise<Outcome>;
  show(name: string): Promise<Outcome>;
  list(): Promise<Outcome>;
  rotate(name: string): Promise<Outcome>;
  stand(name: string, status: 'active' | 'inactive'): Promise<Outcome>;
  grant(name: string, application: string, role: string): Promise<Outcome>;
  revoke(name: string, application: string): Promise<Outcome>;
  remove(name: string): Promise<Outcome>;
  explain(name: string, method: string, path: string): Promise<Outcome>;
  whoCan(method: string, path: string): Promise<Outcome>;
  activity(name: string): Promise<readonly string[]>;
  instances(): Promise<Outcome>;
  close(): void;
}

export function httpDriver(api: ApiBench): Driver {
  const call = async (method: string, path: string, body?: unknown): Promise<Outcome> => {
    const answer = await api.call(method, path, body === undefined ? {} : { body });
    return { said: answer.status < 300 ? 'done' : 'refused', answer: answer.body };
  };
  const idOf = async (name: string): Promise<string> => {
    const { answer } = await call('GET', `/service-accounts?name=${name}`);
    return (answer as unknown as { items: { id: string }[] }).items[0]?.id ?? 'nobody000000';
  };
  const at = async (name: string) => `/service-accounts/${await idOf(name)}`;
  return {
    createRole: (name, permissions) => call('POST', '/roles', { name, permissions }),
    createTeam: (name, applications) => call('POST', '/teams', { name, applications }),
    createAccount: (name, team, role) =>
      call('POST', '/service-accounts', {
        name,
        role: 'none',
        description: 'As the story has it',
        teams: [{ team, role }],
      }),
    show: async (name) => call('GET', await at(name)),
    list: async () => {
      const { said, answer } = await call('GET', '/service-accounts');
      return { said, answer: { accounts: (answer as unknown as { items: never }).items } };
    },
    rotate: async (name) => call('POST', `${await at(name)}/token`, {}),
    stand: async (name, status) => call('PATCH', await at(name), { status }),
    grant: async (name, application, role) =>
      call('PUT', `${await at(name)}/grants/${application}`, { role }),
    revoke: async (name, application) => call('DELETE', `${await at(name)}/grants/${application}`),
    remove: async (name) => call('DELETE', await at(name)),
    explain: (name, method, path) =>
      call('GET', `/explain?${new URLSearchParams({ account: name, method, path })}`),
    whoCan: (method, path) => call('GET', `/who-can?${new URLSearchParams({ method, path })}`),
    activity: async (name) => {
      const { answer } = await call('GET', `/activity?account=${name}`);
      return (answer as unknown as { items: { type: string }[] }).items
        .map(({ type }) => type)
        .reverse();
    },
    instances: () => call('GET', '/instances'),
    close: () => {},
  };
}

/** The command line, as a process of its own, against the store or against the server. */
export function shellDriver(api: ApiBench, way: '--config' | '--server'): Driver {
  const shell = new Shell();
  const where =
    way === '--config'
      ? ['--config', configFor(api, shell)]
      : ['--server', api.url, '--ca-file', api.test.caFile];
  Object.assign(shell.env, way === '--server' ? { SALLYPORT_TOKEN: api.administrator.token } : {});
  const run = async (...words: string[]): Promise<Outcome> => {
    const { code, out, err } = await shell.run(...words, ...where, '--json');
    if (code !== 0 && code !== 1) throw new Error(`${words.join(' ')}: ${code} ${err}`);
    return code === 0
      ? { said: 'done', answer: JSON.parse(out) as never }
      : { said: 'refused', answer: {} };
  };
  return {
    createRole: (name, permissions) =>
      run('role', 'create', name, '--permission', permissions.join(',')),
    createTeam: (name, applications) =>
      run('team', 'create', name, '--application', applications.join(',')),
    createAccount: (name, team, role) =>
      run(
        'account',
        'create',
        name,
        '--role',
        'none',
        '--description',
        'As the story has it',
        '--team',
        `${team}:${role}`,
      ),
    show: (name) => run('account', 'show', name),
    list: () => run('account', 'list'),
    rotate: (name) => run('account', 'rotate', name, '--yes'),
    stand: (name, status) =>
      run(
        'account',
        status === 'active' ? 'activate' : 'deactivate',
        name,
        ...(status === 'active' ? [] : ['--yes']),
      ),
    grant: (name, application, role) =>
      run('account', 'grant', name, '--application', application, '--role', role),
    revoke: (name, application) => run('account', 'revoke', name, '--application', application),
    remove: (name) => run('account', 'delete', name, '--yes'),
    explain: (name, method, path) => run('explain', method, path, '--account', name),
    whoCan: (method, path) => run('who-can', method, path),
    activity: async (name) => {
      const { out } = await shell.run('activity', name, '--limit', '100', ...where, '--json');
      return out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type);
    },
    instances: () => run('instances'),
    close: () => shell.close(),
  };
}

/** The gate runs: the command line finds its socket in the data folder. */
function configFor(api: ApiBench, shell: Shell): string {
  const { dataDir } = api.test;
  writeFileSync(
    shell.path('store.yaml'),
    JSON.stringify({
      instance: { name: 'asker', dataDir: join(dataDir) },
      store: { kind: 'embedded' },
    }),
  );
  return 'store.yaml';
}
