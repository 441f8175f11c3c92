import { expect, it } from 'vitest';
import { readResponses, valuesOf } from '../../support/http-bytes.ts';
import { startDoor } from './door.ts';

/** `rewriteOrigin`: an upstream that writes its own name must not lead clients around the gate. */

const INSIDE = 'http://inside.test:8080';
const route = {
  name: 'all',
  path: '/**',
  methods: ['GET', 'POST'],
  application: 'any',
  permission: 'test:all',
  upstream: 'raw',
  rewriteOrigin: [INSIDE],
};
const BODY = `{"url":"${INSIDE}/download/1"}`;
const ANSWER =
  `HTTP/1.1 103 Early Hints\r\nLink: <${INSIDE}/style>\r\n\r\n` +
  `HTTP/1.1 201 Created\r\nLocation: ${INSIDE}/made\r\nContent-Location: ${INSIDE}/made\r\nLink: <${INSIDE}/next>; rel=next\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const upstream = { answer: () => [{ send: ANSWER }] };

it('links in fields lead to the gate by the name that was called, and bodies are left alone', async () => {
  const door = await startDoor({ upstream, gateway: { routes: [route] } });
  const { text } = await door.talk([door.head('GET /a', 'Connection: close')]);
  const [hint, answer] = readResponses(Buffer.from(text, 'latin1'));
  expect(valuesOf(hint!, 'link')).toEqual(['<http://api.test/style>']);
  expect(valuesOf(answer!, 'location')).toEqual(['http://api.test/made']);
  expect(valuesOf(answer!, 'content-location')).toEqual(['http://api.test/made']);
  expect(valuesOf(answer!, 'link')).toEqual(['<http://api.test/next>; rel=next']);
  expect(answer!.body.toString()).toBe(BODY);
});

it('behind a trusted proxy they lead to what the client has called there', async () => {
  const proxy = { address: '127.0.0.1:0', plaintext: true, trustedProxies: ['127.0.0.1'] };
  const listen = { proxy, ops: { address: '127.0.0.1:0' } };
  const door = await startDoor({ upstream, gateway: { routes: [route], config: { listen } } });
  const { text } = await door.talk([
    door.head(
      'GET /a',
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: public.test',
      'Connection: close',
    ),
  ]);
  expect(text).toContain('\r\nLocation: https://public.test/made\r\n');
});

it('a route that lists none passes links on as they are', async () => {
  const door = await startDoor({
    upstream,
    gateway: { routes: [{ ...route, rewriteOrigin: [] }] },
  });
  const { text } = await door.talk([door.head('GET /a', 'Connection: close')]);
  expect(text).toContain(`\r\nLocation: ${INSIDE}/made\r\n`);
});
