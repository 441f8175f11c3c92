import { expect, it } from 'vitest';
import { owner } from '../../support/gateway.ts';
import { valuesOf } from '../../support/http-bytes.ts';
import { startDoor } from './door.ts';

const route = (name: string, application: string) => ({
  name,
  path: `/${name}`,
  methods: ['GET'],
  application,
  permission: 'environments:read',
  upstream: 'raw',
});

it('tells the service which applications permit, and nobody else can', async () => {
  const door = await startDoor({
    gateway: { routes: [route('some', 'some'), route('crm', 'crm')] },
  });
  const { administration } = door.gate;
  const roleOf = (name: string, ...permissions: readonly string[]) =>
    administration.createRole(owner, { name, description: '', permissions });
  await roleOf('reader', 'environments:read');
  await roleOf('editor', 'environments:*');
  await administration.createTeam(owner, {
    name: 'sales',
    description: '',
    applications: ['crm', 'shop'],
  });
  const made = async (name: string, fields: object) =>
    (
      await administration.createServiceAccount(owner, {
        name,
        description: '',
        role: 'none',
        ...fields,
      })
    ).token;
  const get = async (path: string, token: string) => {
    const { text } = await door.talk([
      `GET ${path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${token}\r\n` +
        'X-Account-Applications: erp\r\nx-ACCOUNT-applications: erp\r\nConnection: close\r\n\r\n',
    ]);
    return text.slice(9, 12);
  };
  const teams = [{ team: 'sales', role: 'reader' }];
  const plain = await made('plain', { teams });
  const mixed = await made('mixed', { teams });
  await administration.grantRole(owner, { name: 'mixed', application: 'hr', role: 'editor' });
  const nobody = await made('nobody', {});
  const seen = (field: string) => valuesOf(door.upstream.requests.at(-1)!, field);

  expect(await get('/some', plain)).toBe('200');
  expect(seen('x-account-applications')).toEqual(['crm,shop']);
  expect(seen('x-account-role')).toEqual(['reader']);
  expect(await get('/some', mixed)).toBe('200');
  expect(seen('x-account-applications')).toEqual(['crm,hr,shop']);
  expect(seen('x-account-role')).toEqual(['']);
  expect(await get('/crm', plain)).toBe('200');
  expect(seen('x-account-applications')).toEqual([]);
  const before = door.upstream.requests.length;
  expect(await get('/some', nobody)).toBe('403');
  expect(door.upstream.requests).toHaveLength(before);

  const events = await door.gate.events();
  const decided = events.filter(({ path, phase }) => path === '/some' && phase === 'decision');
  expect(decided.map(({ applications, role }) => ({ applications, role }))).toEqual([
    { applications: ['crm', 'shop'], role: 'reader' },
    { applications: ['crm', 'hr', 'shop'], role: undefined },
    { applications: undefined, role: undefined },
  ]);
});
