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
    const store = () => {
      for (const line of lines) witnesses.line(readLine(line)!);
    };
    const vouch = (voucher = by) => {
      const ofInstance = voucher === by ? {} : { ofInstance: by };
      const about = { decidedBy: 'gone', count, digest, ...ofInstance };
      witnesses.witness(readLine(JSON.stringify({ time: TIME, instance: voucher, ...about }))!);
    };
    return { store, vouch };
  };
  const end = () => {
    witnesses.end(() => Number.POSITIVE_INFINITY);
    const { witnessed, unwitnessed } = witnesses;
    return { witnessed, unwitnessed, kinds: found.map(({ kind }) => kind) };
  };
  return { written, end };
}

it('another instance vouches for what one wrote that has ended', () => {
  const { written, end } = judge();
  const one = written('closer', 0, 3);
  one.store();
  one.vouch('next');
  expect(end()).toEqual({ witnessed: 3, unwitnessed: 0, kinds: [] });
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
  expect(end()).toEqual({ witnessed: 2007, unwitnessed: 0, kinds: [] });
});

it('a voucher stands for the lines of the one that it names alone', () => {
  const { written, end } = judge();
  const one = written('closer', 0, 2);
  one.store();
  written('else', 0, 2).vouch('next');
  expect(end().kinds.toSorted()).toEqual(['inserted', 'missing']);
});
