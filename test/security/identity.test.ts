import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { owner } from '../support/gateway.ts';
import { readResponses, valuesOf } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import { fieldsOf, type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * Who is calling is the gate's to say: nothing that a client sends is taken for it, by the gate or
 * by anyone behind it.
 */

let guarded: GuardedUpstream;

beforeAll(async () => {
  guarded = await startGuarded({
    routes: [
      { name: 'open', path: '/public/**', access: 'public', upstream: 'recorder' },
      {
        name: 'all',
        path: '/apps/**',
        methods: ['GET', 'POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'recorder',
      },
      {
        name: 'admin',
        path: '/admin/**',
        methods: ['GET', 'DELETE'],
        application: 'any',
        permission: 'admin:all',
        upstream: 'recorder',
      },
    ],
  });
});
afterAll(() => guarded.stop());

const get = (...fields: string[]) =>
  guarded.ask(request('GET /apps/one HTTP/1.1', [guarded.authorization, ...fields]));

describe('names that fold into names of ours', () => {
  it.each([
    'X_Account_Id',
    'x_account-id',
    'X-Account_Teams',
    'HTTP_X_ACCOUNT_ID',
    'X.Account.Id',
    'X_Forwarded_For',
    'Transfer_Encoding',
    'Content_Length',
    'X-Account-Id\u0000',
    'X-\u00c4',
    '_',
    '__proto__',
  ])('%j is refused as a field name, and nothing goes upstream', async (name) => {
    const outcome = await get(`${name}: root`);
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([
      400,
      'request-malformed',
      [],
    ]);
    expect(outcome.text).toContain('Connection: close\r\n');
  });
});

describe('fields of ours', () => {
  it('cannot be nominated away', async () => {
    for (const nomination of [
      'X-Account-Id',
      'close, x-account-id, X-ACCOUNT-TEAMS',
      'X-Request-Id, Forwarded, X-Forwarded-For',
    ]) {
      const { forwarded } = await get(
        `Connection: ${nomination}`,
        'X-Account-Id: root',
        'X-Request-Id: mine',
      );
      expect(fieldsOf(forwarded[0]!, /^x-account-(id|teams)$/i)).toEqual([
        `x-account-id: ${guarded.gate.account.id}`,
        'x-account-teams: ',
      ]);
      expect(fieldsOf(forwarded[0]!, /^(x-request-id|forwarded|x-forwarded-for)$/i)).toHaveLength(
        3,
      );
      expect(valuesOf(forwarded[0]!, 'x-request-id')).not.toContain('mine');
    }
  });

  it('stand once each, however often the client sends them', async () => {
    const copies = Array.from(
      { length: 20 },
      (_, index) => `X-Account-${['Id', 'Name', 'Role', 'Teams'][index % 4]}: root`,
    );
    const { forwarded } = await get(...copies);
    expect(
      forwarded[0]!.fields.filter(([name]) => /^x-account/i.test(name)).map(([name]) => name),
    ).toEqual(['X-Account-Id', 'X-Account-Name', 'X-Account-Role', 'X-Account-Teams']);
    expect(JSON.stringify(forwarded[0]!.fields)).not.toContain('root');
  });

  it('are empty, not the client’s, for an account without teams, and list the teams of one that has some', async () => {
    const { administration } = guarded.gate;
    expect(
      valuesOf((await get('X-Account-Teams: everything')).forwarded[0]!, 'x-account-teams'),
    ).toEqual(['']);
    for (const name of ['red', 'blue'])
      await administration.createTeam(owner, { name, description: '', applications: [] });
    const member = await guarded.gate.createAccount({ name: 'member', role: 'tester' });
    for (const team of ['red', 'blue'])
      await administration.joinTeam(owner, { name: 'member', team, role: 'tester' });
    const asked = request('GET /apps/one HTTP/1.1', [
      `Authorization: Bearer ${member.token}`,
      'X-Account-Teams: everything',
    ]);
    await expect
      .poll(async () => valuesOf((await guarded.ask(asked)).forwarded[0]!, 'x-account-teams'))
      .toEqual(['blue,red']);
  });

  it('are not there where nobody was authenticated, and the client’s are not there either', async () => {
    const { status, forwarded } = await guarded.ask(
      request('GET /public/x HTTP/1.1', [
        guarded.authorization,
        'X-Account-Id: root',
        'X-Account-Assertion: x',
      ]),
    );
    expect(status).toBe(200);
    expect(fieldsOf(forwarded[0]!, /account|authorization/i)).toEqual([]);
  });

  it('are those of each request, not of its connection', async () => {
    const other = await guarded.gate.createAccount({ name: 'other', role: 'tester' });
    guarded.upstream.clear();
    const client = await connectRaw({ port: guarded.port, tls: { rejectUnauthorized: false } });
    const asOther = request('GET /apps/two HTTP/1.1', [`Authorization: Bearer ${other.token}`]);
    const asNobody = request('GET /apps/three HTTP/1.1');
    await client.send(
      request('GET /apps/one HTTP/1.1', [guarded.authorization]) +
        asOther +
        asNobody +
        request('GET /apps/four HTTP/1.1', [guarded.authorization, 'Connection: close']),
    );
    const answers = readResponses(await client.waitForClose());
    expect(answers.map((answer) => answer.line.split(' ')[1])).toEqual([
      '200',
      '200',
      '401',
      '200',
    ]);
    const who = guarded.upstream.requests.map((seen) => [
      seen.line.split(' ')[1],
      valuesOf(seen, 'x-account-id')[0],
    ]);
    expect(who).toEqual([
      ['/apps/one', guarded.gate.account.id],
      ['/apps/two', other.id],
      ['/apps/four', guarded.gate.account.id],
    ]);
  });
});

describe('the decision', () => {
  it.each([
    'X-Forwarded-Uri: /public/x',
    'X-Original-URL: /public/x',
    'X-Rewrite-URL: /public/x',
    'X-Forwarded-Prefix: /public',
    'X-Forwarded-Method: GET',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: localhost',
    'X-Forwarded-For: 127.0.0.1',
    'Forwarded: for=127.0.0.1;proto=https',
    'X-Account-Role: administrator',
    'X-Account-Id: root',
    'User-Agent: kube-probe/1.27',
    'User-Agent: GoogleHC/1.0',
    'Via: 1.1 sallyport',
  ])('is not moved by %s', async (field) => {
    const refused = await guarded.ask(
      request('GET /admin/users HTTP/1.1', [guarded.authorization, field]),
    );
    expect([refused.status, refused.reason, refused.forwarded]).toEqual([
      403,
      'permission-denied',
      [],
    ]);
    const unknown = await guarded.ask(request('GET /admin/users HTTP/1.1', [field]));
    expect([unknown.status, unknown.reason, unknown.forwarded]).toEqual([401, 'token-missing', []]);
  });

  it('is about the method of the request line, whatever other method a field names', async () => {
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
      const { status, forwarded } = await get(`${name}: DELETE`);
      expect([status, forwarded[0]!.line, fieldsOf(forwarded[0]!, /method/i)]).toEqual([
        200,
        'GET /apps/one HTTP/1.1',
        [],
      ]);
    }
  });
});
