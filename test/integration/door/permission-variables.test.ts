import { expect, it } from 'vitest';
import { owner } from '../../support/gateway.ts';
import { startDoor } from './door.ts';

const ROUTES = [
  {
    name: 'deploy',
    path: '/environments/{environment}/deployments',
    methods: ['POST'],
    application: 'any',
    permission: 'deployments:{environment}:write',
    upstream: 'raw',
  },
];

it('is permitted for each environment, and puts the permission that was asked for on record', async () => {
  const door = await startDoor({ gateway: { routes: ROUTES } });
  await door.gate.administration.createRole(owner, {
    name: 'developer',
    description: '',
    permissions: ['deployments:Development:*'],
  });
  const { token } = await door.gate.createAccount({ name: 'dev', role: 'developer' });
  const post = async (environment: string) => {
    const { text } = await door.talk(
      [
        `POST /environments/${environment}/deployments HTTP/1.1\r\nHost: gate\r\n` +
          `Authorization: Bearer ${token}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      ],
      ['POST'],
    );
    return text.slice(9, 12);
  };
  expect(await post('Development')).toBe('200');
  expect(await post('Production')).toBe('403');
  expect(await post('Development%3Ax')).toBe('403');
  expect(door.upstream.requests).toHaveLength(1);
  const events = await door.gate.events();
  const decided = (environment: string) =>
    events.find(
      ({ path, phase }) =>
        phase === 'decision' && path === `/environments/${environment}/deployments`,
    );
  expect(decided('Development')).toMatchObject({ permission: 'deployments:Development:write' });
  expect(decided('Production')).toMatchObject({
    reason: 'permission-denied',
    permission: 'deployments:Production:write',
  });
  expect(decided('Development%3Ax')).toMatchObject({
    reason: 'permission-denied',
    permission: 'deployments:{environment}:write',
    detail: 'what the call is about is no possible name',
  });
  expect(
    events.find(({ phase, id }) => phase === 'outcome' && id === decided('Development')?.id),
  ).toMatchObject({ permission: 'deployments:Development:write' });
});
