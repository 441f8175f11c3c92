import { expect, it } from 'vitest';
import { type AccessMember, RedisAccess } from '../../../src/store/redis-access.ts';
import type { RedisTls } from '../../../src/store/redis-port.ts';

const tls = (more: Partial<RedisTls>): RedisTls => ({
  ca: null,
  serverName: null,
  certificate: null,
  key: null,
  verify: true,
  ...more,
});
const secrets = (password: string, ca = 'ca') => ({ username: 'u', password, tls: tls({ ca }) });
const member = (label: string): AccessMember => ({ label, changed: () => {} });
const passwordsOf = (access: RedisAccess) =>
  [0, 1, 2, 3].map((failed) => access.shown(failed).secrets.password);

it('shows by turns the newest secrets and the last that a server has accepted', () => {
  const access = new RedisAccess(secrets('a'));
  const one = member('one');
  access.join(one);
  access.accepted(one, 0);
  access.change(secrets('never'));
  access.change(secrets('b'));
  expect(passwordsOf(access)).toEqual(['b', 'a', 'b', 'a']);
});

it('shows nothing that no server has ever accepted', () => {
  const access = new RedisAccess(secrets('mistyped'));
  access.change(secrets('right'));
  expect(passwordsOf(access)).toEqual(['right', 'right', 'right', 'right']);
});

it('trusts the newest CA alone, whichever password it shows', () => {
  const access = new RedisAccess(secrets('a', 'former'));
  const one = member('one');
  access.join(one);
  access.accepted(one, 0);
  access.change(secrets('b', 'newest'));
  expect([0, 1].map((failed) => access.shown(failed).secrets.tls?.ca)).toEqual([
    'newest',
    'newest',
  ]);
});

it('forgets the former ones an hour after all connections have newer ones, and not before', () => {
  let nowMs = 0;
  const access = new RedisAccess(secrets('a'), () => nowMs);
  const [one, two] = [member('one'), member('two')];
  for (const each of [one, two]) {
    access.join(each);
    access.accepted(each, 0);
  }
  access.change(secrets('b'));
  access.accepted(one, 1);
  expect(access.unsettled).toEqual(['password']);
  nowMs = 10 * 3_600_000;
  expect(passwordsOf(access)).toEqual(['b', 'a', 'b', 'a']);
  access.accepted(two, 1);
  expect(access.unsettled).toEqual([]);
  nowMs += 3_600_000;
  expect(passwordsOf(access)).toEqual(['b', 'a', 'b', 'a']);
  nowMs += 1;
  expect(passwordsOf(access)).toEqual(['b', 'b', 'b', 'b']);
});

it('says that something is not taken over when a server takes the former ones later on', () => {
  const access = new RedisAccess(secrets('a'));
  const [one, late] = [member('one'), member('late')];
  access.join(one);
  access.accepted(one, 0);
  access.change(secrets('b'));
  access.accepted(one, 1);
  access.join(late);
  expect(access.unsettled).toEqual([]);
  access.accepted(late, 0);
  access.refused(late, 'no');
  expect([access.unsettled, access.why]).toEqual([['password'], 'late: no']);
  access.leave(late);
  expect([access.unsettled, access.why]).toEqual([[], null]);
});
