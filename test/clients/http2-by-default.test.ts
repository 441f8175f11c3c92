import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeEach, expect, it } from 'vitest';
import { type DoorOptions, startDoor } from '../integration/door/door.ts';
import { requireOrSkip } from '../support/system.ts';

const run = promisify(execFile);

beforeEach((ctx) => requireOrSkip(ctx, 'curl'));

/** curl, told nothing about HTTP/2 but what is given. */
async function start(options: DoorOptions) {
  const door = await startDoor(options);
  const ask = async (token: string, ...words: readonly string[]) => {
    const { stdout } = await run('curl', [
      ...['-q', '-sS', '--noproxy', '*', '--cacert', door.gate.caFile, '-w', '\n%{http_version}'],
      ...['-H', `Authorization: Bearer ${token}`, ...words, `${door.gate.url}/x`],
    ]);
    const [content = '', version] = stdout.split(/\n(?=[0-9.]+$)/);
    return { content, version };
  };
  return { door, ask };
}

it('curl speaks HTTP/2 over TLS, HTTP/1.1 where it wants, and is told what is wrong', async () => {
  const { door, ask } = await start({ tls: true });
  const { token } = door.gate;
  expect(await ask(token)).toMatchObject({ version: '2' });
  expect(await ask(token, '--http1.1')).toMatchObject({ version: '1.1' });
  const permits = (await door.events()).filter(({ decision }) => decision === 'permit');
  expect(permits.map(({ door }) => door ?? 'http1').sort()).toEqual(['http1', 'http2']);
  const told = (content: string) => JSON.parse(content) as Record<string, unknown>;
  const white = await ask('', '--http2');
  expect([white.version, told(white.content)]).toMatchObject([
    '2',
    { status: 400, detail: 'a field value begins or ends with white space' },
  ]);
  const taken = await ask('', '--http1.1');
  expect([taken.version, told(taken.content).status]).toEqual(['1.1', 401]);
  expect(door.upstream.requests).toHaveLength(2);
});

it('curl speaks HTTP/1.1 without TLS and where HTTP/2 is switched off', async () => {
  const plain = await start({});
  expect(await plain.ask(plain.door.gate.token)).toMatchObject({ version: '1.1' });
  expect(await plain.ask(plain.door.gate.token, '--http2-prior-knowledge')).toMatchObject({
    version: '2',
  });
  const off = await start({ tls: true, gateway: { http2: { enabled: false } } });
  expect(await off.ask(off.door.gate.token)).toMatchObject({ version: '1.1' });
});
