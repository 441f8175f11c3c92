import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { valuesOf } from '../support/http-bytes.ts';
import { fieldsOf, type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * Methods, targets and names that other gates took for something else than the server behind them
 * did.
 */

let guarded: GuardedUpstream;

beforeAll(async () => {
  guarded = await startGuarded();
});
afterAll(() => guarded.stop());

const ask = (line: string, ...fields: string[]) =>
  guarded.ask(request(line, [guarded.authorization, ...fields]));

describe('methods', () => {
  it.each(['CONNECT localhost:22', 'CONNECT /', 'TRACE /', 'TRACE /public/x'])(
    '%s is refused to everyone',
    async (start) => {
      for (const fields of [[guarded.authorization], []]) {
        const outcome = await guarded.ask(request(`${start} HTTP/1.1`, fields));
        expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([
          405,
          'method-refused',
          [],
        ]);
        // RFC 9110 §15.5.6: the field must stand, and names no method that the path would take.
        expect(valuesOf(outcome.answer!, 'allow')).toEqual(['']);
      }
    },
  );

  it('are case-sensitive: what is no method of ours is not made into one', async () => {
    for (const method of [
      'get',
      'Get',
      'gET',
      'post',
      'trace',
      'connect',
      'GETX',
      'PROPFIND',
      'constructor',
      '__proto__',
      'toString',
    ]) {
      const outcome = await ask(`${method} / HTTP/1.1`);
      expect([method, outcome.status, outcome.reason, outcome.forwarded]).toEqual([
        method,
        501,
        'method-unknown',
        [],
      ]);
    }
  });

  it('of a public route are GET and HEAD: others need a token and a route', async () => {
    const outcome = await guarded.ask(request('POST /public/x HTTP/1.1', ['Content-Length: 0']));
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([401, 'token-missing', []]);
  });
});

describe('targets', () => {
  it.each([
    'http://localhost/apps',
    'https://localhost/public/x',
    'http://evil.example/public/x',
    '//evil.example/public/x',
    'localhost:443',
    '*',
    '/public/../admin',
    '/public/%2e%2e/admin',
    '/public/..%2fadmin',
    '/public/..;/admin',
    '/public\\..\\admin',
    '/public/x#/../admin',
    '/public/x%00',
    '/public//admin',
  ])('%s is refused, with a token and without', async (target) => {
    for (const fields of [[guarded.authorization], []]) {
      const outcome = await guarded.ask(request(`GET ${target} HTTP/1.1`, fields));
      expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([
        400,
        'target-ambiguous',
        [],
      ]);
    }
  });

  it('name the same server as Host or none: an absolute target is not weighed against it', async () => {
    const outcome = await ask('OPTIONS http://localhost/ HTTP/1.1');
    expect([outcome.status, outcome.forwarded]).toEqual([400, []]);
  });
});

describe('names that JavaScript gives to every object', () => {
  const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];

  it('are paths like any other', async () => {
    for (const name of NAMES) {
      const { status, forwarded } = await ask(`GET /${name}/${name}?${name}=${name} HTTP/1.1`);
      expect([status, forwarded[0]!.line]).toEqual([
        200,
        `GET /${name}/${name}?${name}=${name} HTTP/1.1`,
      ]);
    }
  });

  it('are field names like any other, where they are field names', async () => {
    const fields = NAMES.filter((name) => !name.includes('_')).map((name) => `${name}: x`);
    const { status, forwarded } = await ask('GET / HTTP/1.1', ...fields);
    expect(status).toBe(200);
    expect(
      fieldsOf(forwarded[0]!, /constructor|prototype|tostring|hasownproperty|valueof/i),
    ).toEqual(fields.map((field) => field.toLowerCase()));
  });

  it('are no hosts with an entry, no tokens and no accounts', async () => {
    for (const name of NAMES) {
      const host = await guarded.ask(
        `GET / HTTP/1.1\r\nHost: ${name}\r\n${guarded.authorization}\r\n\r\n`,
      );
      expect(host.status).toBe(200);
      const token = await guarded.ask(request('GET / HTTP/1.1', [`Authorization: Bearer ${name}`]));
      expect([token.status, token.reason, token.forwarded]).toEqual([401, 'token-refused', []]);
    }
  });
});
