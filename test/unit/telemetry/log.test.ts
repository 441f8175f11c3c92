import { describe, expect, it } from 'vitest';
import { AuditUnavailable } from '../../../src/audit/port.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { StoreUnavailable } from '../../../src/store/fault.ts';
import { createLog, type LogFields, type LogOptions } from '../../../src/telemetry/log.ts';

const TOKEN = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;

/** Lines that a log wrote, and a clock that the test turns. */
function listen(options: LogOptions = {}) {
  const lines: string[] = [];
  const time = { ms: Date.UTC(2026, 10, 24, 6, 7, 8, 9) };
  const clock = { wallMs: () => time.ms, monotonicMs: () => time.ms };
  const log = createLog({
    format: 'json',
    clock,
    write: (line) => void lines.push(line),
    ...options,
  });
  return { log, lines, time, last: () => JSON.parse(lines.at(-1) ?? 'null') };
}

describe('a line', () => {
  it('is one JSON object with time, level, message and fields', () => {
    const { log, lines, last } = listen();
    log.warn('the store is away', { attempt: 2, nothing: undefined });
    expect(last()).toEqual({
      time: '2026-11-24T06:07:08.009Z',
      level: 'warn',
      msg: 'the store is away',
      attempt: 2,
    });
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
  });

  it('is not written below the level', () => {
    const { log, lines } = listen({ level: 'warn' });
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['c', 'd']);
  });

  it('carries the fields that its part stands for, and cannot be robbed of its own three', () => {
    const { log, last } = listen();
    log.with({ part: 'door' }).with({ port: 1 }).info('up', { level: 'x', msg: 'y', time: 'z' });
    expect(last()).toMatchObject({
      level: 'info',
      msg: 'up',
      part: 'door',
      port: 1,
      field_level: 'x',
    });
  });

  it('stays one line and one object whatever the fields hold', () => {
    const { log, lines, last } = listen();
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    log.info('odd\nline', {
      loop,
      big: 10n,
      text: 'a\r\nb\u2028\ud800',
      list: Array(500).fill(1),
      fn: () => 1,
      no: Number.NaN,
      sym: Symbol('s'),
    });
    expect(lines[0]?.trimEnd()).not.toMatch(/[\r\n]/);
    expect(last().list).toHaveLength(51);
    log.info('long', { text: 'x'.repeat(1_000_000) });
    expect(lines[1]?.length).toBeLessThan(3000);
  });

  it('for people is one line of readable text without control characters', () => {
    const { log, lines } = listen({ format: 'text' });
    log.info('ready', { url: 'https://127.0.0.1:8443', note: 'a \u001b[31mred\u001b[0m\nline' });
    expect(lines[0]).toBe(
      '06:07:08.009 info  ready  url=https://127.0.0.1:8443  note="a \\u001b[31mred\\u001b[0m\\nline"\n',
    );
  });
});

describe('a fault', () => {
  it('is told with the top of its stack, and with its cause', () => {
    const { log, last } = listen();
    log.warn('m', { error: new Error('outer', { cause: new Error('inner') }) });
    expect(last().error).toMatchObject({
      message: 'outer',
      stack: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: { message: 'inner', stack: expect.anything() },
    });
  });

  it('that is to be expected of a store is told without', () => {
    const { log, last } = listen();
    const cause = new StoreUnavailable('unreachable', 'ECONNREFUSED', 'Redis is away');
    log.warn('m', { error: new RegistryUnavailable('unreachable', 'Redis is away', { cause }) });
    expect(last().error).toEqual({ name: 'RegistryUnavailable', message: 'Redis is away' });
    log.warn('m', { error: cause });
    expect(last().error).toMatchObject({ code: 'ECONNREFUSED' });
    const bug = new AuditUnavailable('of a kind of its own', { cause: new TypeError('a bug') });
    log.warn('m', { error: bug });
    expect(last().error).toMatchObject({ cause: { message: 'a bug', stack: expect.anything() } });
  });
});

describe('secrets', () => {
  it.each<[string, () => [string, LogFields]]>([
    ['a token in the message', () => [`refused ${TOKEN}`, {}]],
    ['a token in a field', () => ['m', { path: `/x/${TOKEN}/y` }]],
    ['a token deep inside', () => ['m', { a: { b: [{ c: TOKEN }] } }]],
    ['a token in the name of a field', () => ['m', { a: { [TOKEN]: 1 } }]],
    [
      'a token in an error and its cause',
      () => ['m', { fault: new Error(`no ${TOKEN}`, { cause: new Error(TOKEN) }) }],
    ],
    ['an Authorization value of another scheme', () => ['m', { text: 'Basic czNDckV0czNDckV0' }]],
    ['a header named Authorization', () => ['m', { headers: { Authorization: 's3CrEt' } }]],
    [
      'a password',
      () => ['m', { password: 's3CrEt', redis_password: 's3CrEt', 'x-api-secret': 's3CrEt' }],
    ],
    ['a password in a URL', () => ['m', { url: 'redis://gate:s3CrEt@10.0.0.1:6379/0' }]],
    ['a digest', () => ['m', { tokenDigest: 's3CrEt' }]],
    ['a cut token', () => ['m', { text: `${'a'.repeat(1985)}${TOKEN}` }]],
  ])('never stand in a line: %s', (_what, make) => {
    for (const format of ['json', 'text'] as const) {
      const { log, lines } = listen({ format });
      const [msg, fields] = make();
      log.error(msg, fields);
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain('s3CrEt');
      expect(lines[0]).not.toContain('czNDckV0');
    }
  });

  it('do not take harmless neighbours with them', () => {
    const { log, last } = listen();
    log.info('m', {
      tokenId: '0123456789abcdef',
      account: 'a1B2c3D4e5F6',
      text: `in ${TOKEN} out`,
    });
    expect(last()).toMatchObject({
      tokenId: '0123456789abcdef',
      account: 'a1B2c3D4e5F6',
      text: 'in slp_a1B2c3D4e5F6_(removed) out',
    });
  });
});

describe('repeats', () => {
  it('are held back and counted, other messages are not', () => {
    const { log, lines, time, last } = listen();
    for (let i = 0; i < 1000; i++) log.warn('again', { i });
    log.warn('other');
    expect(lines).toHaveLength(11);
    time.ms += 10_000;
    log.warn('again', { i: 1000 });
    expect(JSON.parse(lines.at(-2) as string)).toMatchObject({
      msg: 'again',
      repeated: 990,
      withinMs: 10_000,
    });
    expect(last()).toMatchObject({ msg: 'again', i: 1000 });
  });

  it('that are still held back at the end are told', () => {
    const { log, lines, last } = listen();
    for (let i = 0; i < 15; i++) log.warn('again');
    log.close();
    expect(lines).toHaveLength(11);
    expect(last()).toMatchObject({ msg: 'again', repeated: 5 });
  });
});
