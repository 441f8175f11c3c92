import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { Shell } from '../../support/shell.ts';

interface Issued {
  readonly token: string;
  readonly account: { readonly id: string };
}

describe('tokens over the API', () => {
  let api: ApiBench;
  let count = 0;
  /** An account without any permission. */
  const weak = async () => {
    count += 1;
    const made = await api.test.createAccount({ name: `weak-${count}`, role: 'none' });
    return { ...made, name: `weak-${count}` };
  };
  const works = async (token: string) =>
    (await api.call('GET', '/roles', { token })).status === 403;

  beforeAll(async () => {
    api = await openApi({ foundTokens: true });
  });
  afterAll(() => api.stop());

  it('lets any valid token renew itself, also one without permissions', async () => {
    const { id, token } = await weak();
    const renewed = await api.call('POST', '/token/renew', { token });
    expect(renewed.status).toBe(200);
    expect(renewed.body).toMatchObject({ account: { id }, revocation: { effective: true } });
    expect(await works((renewed.body as Issued).token)).toBe(true);
    expect((await api.call('POST', '/token/renew', { token })).status).toBe(401);
    const change = (await api.test.events()).find(({ type }) => type === 'token-renewed');
    expect(change).toMatchObject({ actor: { id, via: 'admin-api' }, target: { id } });
  });

  it('lets the old token live through an overlap, and not renew itself in it', async () => {
    const { token } = await weak();
    const renewed = await api.call('POST', '/token/renew', { token, body: { overlapMs: 60_000 } });
    expect(await works(token)).toBe(true);
    expect((await api.call('POST', '/token/renew', { token })).body).toMatchObject({
      status: 412,
      reason: 'precondition-failed',
    });
    expect(await works((renewed.body as Issued).token)).toBe(true);
  });

  it('takes a found token out of use, and answers the same to all that is handed in', async () => {
    const { id, token } = await weak();
    const answers = [];
    for (const found of [token, token, newToken(id), newToken('000000000000'), 'what is that?']) {
      answers.push(
        await api.call('POST', '/tokens/found', { token: null, body: { token: found } }),
      );
    }
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(['202 {"received":true}\n']),
    );
    expect((await api.call('GET', '/roles', { token })).status).toBe(401);
    const reports = (await api.test.events()).filter(
      ({ type, target }) => type === 'token-reported' && (target as { id: string }).id === id,
    );
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ actor: { id: null, name: 'finder', via: 'admin-api' } });
    expect(JSON.stringify(await api.test.events())).not.toContain(token);
  });

  it('gives an account whose token was found another one', async () => {
    const { id, token } = await weak();
    await api.test.administration.reportToken(
      { ...(await import('../../support/api/api.ts')).owner },
      { token },
    );
    const rotated = await api.call('POST', `/service-accounts/${id}/token`);
    expect(await works((rotated.body as Issued).token)).toBe(true);
    expect(await works(token)).toBe(false);
  });

  it('takes few found tokens of one client', async () => {
    const statuses: number[] = [];
    // Ten, and what the minute has forgiven until then: an answer takes less than the sixth second
    // that forgives one.
    for (let n = 0; n < 100 && statuses.at(-1) !== 429; n += 1) {
      const answer = await api.call('POST', '/tokens/found', {
        token: null,
        body: { token: 'nothing' },
      });
      statuses.push(answer.status);
      if (answer.status === 429) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(statuses.at(-1)).toBe(429);
  });

  it('hands in and renews tokens on the command line', async () => {
    const shell = new Shell();
    try {
      const { token, name } = await weak();
      shell.write('found.txt', `${token}\n`);
      shell.write(
        's.yaml',
        JSON.stringify({
          instance: { name: 'x', dataDir: api.test.dataDir },
          store: { kind: 'embedded' },
        }),
      );
      const found = await shell.run(
        'token',
        'found',
        '--token-file',
        'found.txt',
        '--config',
        's.yaml',
      );
      expect([found.code, found.err.includes('slp_'), found.out]).toEqual([
        0,
        false,
        expect.stringContaining(name),
      ]);
      expect(await works(token)).toBe(false);

      const other = await weak();
      Object.assign(shell.env, { SALLYPORT_TOKEN: other.token });
      const server = ['--server', api.url, '--ca-file', api.test.caFile];
      const renewed = await shell.run('token', 'renew', '--yes', ...server);
      expect(renewed.code).toBe(0);
      expect(await works(renewed.out.trim())).toBe(true);
      const refused = await shell.run('account', 'list', ...server);
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringContaining('does not accept the token'),
      ]);
      const untrusted = await shell.run('account', 'list', '--server', api.url);
      expect([untrusted.code, untrusted.err]).toEqual([3, expect.stringContaining('--ca-file')]);
      const nobody = await shell.run('account', 'list', '--server', 'https://127.0.0.1:1');
      expect([nobody.code, nobody.err]).toEqual([
        3,
        expect.stringContaining('nothing listens there'),
      ]);
    } finally {
      shell.close();
    }
  }, 60_000);
});
