import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Finding } from '../../../../src/audit/verify/finding.ts';
import { readLine } from '../../../../src/audit/verify/line.ts';
import { Witnesses } from '../../../../src/audit/verify/witnesses.ts';

const TIME = '2026-11-29T09:00:00.000Z';

function judge() {
  const found: Finding[] = [];
  const witnesses = new Witnesses((finding) => void found.push(finding));
  /** Outcomes that `by` wrote for `gone`, and what whoever vouches for them says. */
  const written = (by: string, first: number, count: number) => {
    const lines = Array.from({ length: count }, (_, at) =>
      JSON.stringify({ id: `r${first + at}`, time: TIME, instance: by, decidedBy: 'gone' }),
    );
    const digest = hash('sha256', lines.map((line) => `${line}\n`).join(''), 'base64url');
    const store = (from = 0) => {
      for (const line of lines.slice(from)) witnesses.line(readLine(line)!);
    };
    const vouch = (voucher = by) => {
      const ofInstance = voucher === by ? {} : { ofInstance: by };
      const about = { decidedBy: 'gone', count, digest, ...ofInstance };
      witnesses.witness(readLine(JSON.stringify({ time: TIME, instance: voucher, ...about }))!);
    };
    return { store, vouch };
  };
  const end = ({ part = false, bound = null as string | null } = {}) => {
    const boundOf = () => (bound === null ? null : Date.parse(bound));
    witnesses.end({ part, livedUntil: () => Number.POSITIVE_INFINITY, boundOf });
    const { witnessed, unwitnessed, gone } = witnesses;
    return { witnessed, unwitnessed, gone, kinds: found.map(({ kind }) => kind) };
  };
  return { written, end };
}

it('another instance vouches for what one wrote that has ended', () => {
  const { written, end } = judge();
  const one = written('closer', 0, 3);
  one.store();
  one.vouch('next');
  expect(end()).toEqual({ witnessed: 3, unwitnessed: 0, gone: 0, kinds: [] });
});

it('it changes nothing who does it, how often and in which order', () => {
  const { written, end } = judge();
  const steps = [0, 1000, 2000].map((first) => written('closer', first, first < 2000 ? 1000 : 7));
  steps[2]!.vouch('next');
  for (const step of steps) step.store();
  steps[1]!.vouch('next');
  steps[1]!.vouch();
  steps[0]!.vouch();
  steps[0]!.vouch('next');
  expect(end()).toEqual({ witnessed: 2007, unwitnessed: 0, gone: 0, kinds: [] });
});

it('a voucher stands for the lines of the one that it names alone', () => {
  const { written, end } = judge();
  const one = written('closer', 0, 2);
  one.store();
  written('else', 0, 2).vouch('next');
  expect(end().kinds.toSorted()).toEqual(['inserted', 'missing']);
});

it('what retention was due to cut of them is counted, and no finding', () => {
  const cut = (bound: string | null, voucher?: string) => {
    const { written, end } = judge();
    const one = written('closer', 0, 3);
    one.store(2);
    one.vouch(voucher);
    return end({ bound });
  };
  const counted = { witnessed: 0, unwitnessed: 1, gone: 2, kinds: [] };
  expect(cut('2026-11-29T09:00:10.000Z')).toEqual(counted);
  expect(cut('2026-11-29T08:00:00.000Z', 'next')).toEqual(counted);
  expect(cut('2026-11-29T08:00:00.000Z').kinds).toEqual(['missing']);
  expect(cut(null, 'next').kinds).toEqual(['missing']);
});

it('a part of the log, as a spool, need not hold what is vouched for', () => {
  const { written, end } = judge();
  written('closer', 0, 3).vouch();
  expect(end({ part: true })).toEqual({ witnessed: 0, unwitnessed: 0, gone: 3, kinds: [] });
});
