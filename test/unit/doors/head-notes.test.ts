import { describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { noteExposedToken, noteHeadFault } from '../../../src/doors/http1/head-notes.ts';
import type { Log } from '../../../src/telemetry/log.ts';
import { PEER } from '../decision/samples.ts';

type Said = readonly [level: string, message: string, fields: unknown];

function services() {
  const said: Said[] = [];
  const at =
    (level: string): Log['info'] =>
    (message, fields) =>
      void said.push([level, message, fields]);
  const log: Log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: () => log,
  };
  return { said, services: { log, recordedAddress: () => null } };
}

const HELLO = Buffer.of(22, 3, 1, 0, 1);

describe('of a head that is none', () => {
  it('an operator is warned where a connection begins with another protocol', () => {
    const { said, services: to } = services();
    const detail = noteHeadFault(to, PEER, 'request-malformed', 'no method', HELLO, true);
    expect(detail).toBe('the connection begins with TLS, and the port is for plain HTTP');
    expect(said).toMatchObject([
      ['warn', 'a connection that begins with another protocol was refused', { detail }],
    ]);
  });

  it('behind a request the same bytes are no protocol', () => {
    const { said, services: to } = services();
    expect(noteHeadFault(to, PEER, 'request-malformed', 'no method', HELLO, false)).toBe(
      'no method',
    );
    expect(said.map(([level]) => level)).toEqual(['debug']);
  });

  it('a token that was read with its line break is named as the cause', () => {
    const begun = Buffer.from('GET / HTTP/1.1\r\nAuthorization: Bearer x\n\r\n');
    const to = services().services;
    expect(
      noteHeadFault(
        to,
        PEER,
        'request-malformed',
        'line feed without carriage return',
        begun,
        true,
      ),
    ).toBe('the token ends with a line break');
  });
});

describe('of a request in the clear', () => {
  const id = 'abcdefghijkl';
  const token = newToken(id);
  const basic = Buffer.from(`user:${token}`).toString('base64');

  it.each([
    ['as a bearer', `Bearer ${token}`],
    ['alone', token],
    ['as a password', `Basic ${basic}`],
  ])('the account of a token is told, and not the token: %s', (_how, authorization) => {
    const { said, services: to } = services();
    expect(noteExposedToken(to, PEER, { authorization })).toBe(id);
    expect(said).toEqual([
      ['warn', 'a token was sent over plain HTTP: rotate it', { accountId: id }],
    ]);
  });

  it('nothing is said where there was none', () => {
    const { said, services: to } = services();
    expect(noteExposedToken(to, PEER, { authorization: 'Bearer nothing' })).toBeNull();
    expect(noteExposedToken(to, PEER, { authorization: null })).toBeNull();
    expect(said).toEqual([]);
  });
});
