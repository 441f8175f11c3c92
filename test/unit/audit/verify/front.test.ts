import { describe, expect, it } from 'vitest';
import type { TrimAnchor } from '../../../../src/audit/verify/anchors.ts';
import type { Finding } from '../../../../src/audit/verify/finding.ts';
import type { SignedHead, Trust } from '../../../../src/audit/verify/keys.ts';
import { Verifier } from '../../../../src/audit/verify/verifier.ts';
import { LogInstance, makeLogKey, trimAnchor } from '../../../support/chained-log.ts';

const KEY = makeLogKey();
const FOREIGN = makeLogKey();
const BEGIN = Date.UTC(2030, 0, 1);
const iso = (seconds: number) => new Date(BEGIN + seconds * 1000).toISOString();
const known = ({ id, publicKey }: typeof KEY) => [id, publicKey] as const;

/**
 * An event each second from second 0 to 599, a head each tenth; silent from second 200 to 399. It
 * has number 1 in second 0.
 */
function written(key = KEY): LogInstance {
  let second = 0;
  const instance = new LogInstance('gate.1', key, null, () => iso(second));
  for (second = 1; second < 600; second += 1) {
    if (second === 200) second = 400;
    if (second % 10 === 9) instance.sign();
    else instance.call();
  }
  return instance;
}

/** What the verifier says of an instance whose events before one are gone. */
function verify(
  lines: readonly string[],
  {
    heads = [],
    anchors = [],
    keys = [KEY],
    trust = null,
    whole = true,
    late = [],
  }: {
    heads?: readonly SignedHead[];
    anchors?: readonly unknown[];
    keys?: readonly (typeof KEY)[];
    trust?: Trust | null;
    whole?: boolean;
    late?: readonly unknown[];
  },
) {
  const findings: Finding[] = [];
  const verifier = new Verifier({
    beside: { keys: new Map(keys.map(known)), heads, anchors: anchors as TrimAnchor[] },
    trust,
    whole,
    sparse: false,
    nowMs: () => BEGIN + 3600_000,
    goesOn: false,
    found: (finding) => findings.push(finding),
  });
  for (const head of heads) verifier.expectHead(head, 'store');
  for (const head of trust?.heads ?? []) verifier.expectHead(head, 'trust');
  for (const line of lines) verifier.add(line);
  for (const anchor of late) verifier.addAnchor(anchor as TrimAnchor);
  const summary = verifier.end();
  const told = findings.map(({ kind, firstSeq, lastSeq }) => [kind, firstSeq, lastSeq]);
  return { told, summary, findings };
}

const from = (instance: LogInstance, seq: number) => instance.lines.slice(seq - 1);
const upTo = (seconds: number, stream = 'all', key = KEY) =>
  trimAnchor(new LogInstance('cutter.1', key, null, () => iso(0)), iso(seconds), iso(900), stream);

describe('a log that begins later', () => {
  const gate = written();

  it('needs no reason with its first event, and one without it', () => {
    expect(verify(gate.lines, {}).told).toEqual([]);
    expect(verify(from(gate, 2), {}).told).toEqual([['anchor-missing', 1, 1]]);
  });

  it('is whole where what is gone is older than the anchor says, and a minute more', () => {
    for (const seq of [2, 50, 100, 150])
      expect(verify(from(gate, seq), { anchors: [upTo(100)] }).told, `from ${seq}`).toEqual([]);
    const { told, findings } = verify(from(gate, 180), { anchors: [upTo(100)] });
    expect(told).toEqual([['missing', 1, 179]]);
    expect(findings[0]!.message).toContain('younger than what retention has signed');
  });

  it('counts what no hash holds alone, up to the next link', () => {
    const { summary } = verify(from(gate, 53), { anchors: [upTo(60)] });
    expect(summary).toMatchObject({ unhashed: 7, trimmedBefore: iso(60), unanchored: 0 });
  });

  it('is whole where the instance was silent and had signed all before, and not without', () => {
    // Number 200 is the head of second 199, number 201 of second 400.
    expect(verify(from(gate, 201), { anchors: [upTo(250)] }).told).toEqual([]);
    expect(verify(from(gate, 205), { anchors: [upTo(250)] }).told).toEqual([['missing', 201, 204]]);
    expect(verify(from(gate, 230), { anchors: [upTo(250)] }).told).toEqual([['missing', 1, 229]]);
  });

  it('cannot be filled up with forged events before its first head', () => {
    const forged = gate
      .call()
      .replace(/"seq":\d+/, '"seq":229')
      .replace(/"time":"[^"]*"/, `"time":"${iso(1)}"`);
    gate.lines.pop();
    const told = verify([forged, ...from(gate, 230)], { anchors: [upTo(250)] }).told;
    expect(told).toEqual([['missing', 1, 228]]);
  });

  it('is whole by the head beside it where no head is left in it', () => {
    const head = { ...JSON.parse(gate.lines[199]!) } as SignedHead;
    const few = gate.lines.slice(200, 204);
    expect(verify(few, { anchors: [upTo(250)], heads: [head] }).told).toEqual([]);
    expect(verify(few.slice(2), { anchors: [upTo(100)], heads: [head] }).told).toEqual([
      ['missing', 1, 202],
    ]);
    const { told, summary } = verify(few, { anchors: [upTo(250)] });
    expect(told).toEqual([]);
    expect(summary.fronts).toEqual([{ instance: 'gate.1', firstSeq: 201 }]);
  });

  it('is judged by the signed head beside it before the time of an event that nobody signed', () => {
    const head = JSON.parse(gate.lines[199]!) as SignedHead;
    const forged = gate.lines[202]!.replace(/"time":"[^"]*"/, `"time":"${iso(1)}"`);
    const told = verify([forged], { anchors: [upTo(100)], heads: [head] }).told;
    expect(told).toEqual([['missing', 1, 202]]);
  });

  it('passes over numbers that were lost before', () => {
    let second = 0;
    const loser = new LogInstance('gate.2', KEY, null, () => iso(second));
    for (second = 1; second < 10; second += 1) loser.call();
    loser.sign();
    second = 400;
    loser.lose(5);
    loser.sign();
    const left = loser.lines.slice(11);
    expect(JSON.parse(left[0]!)).toMatchObject({ type: 'events-lost', seq: 17 });
    expect(verify(left, { anchors: [upTo(100)] }).told).toEqual([['lost', 12, 16]]);
    expect(verify(left.slice(1), { anchors: [upTo(100)] }).told).toEqual([['missing', 12, 17]]);
  });

  it('is no finding in a part of the log, which may begin anywhere', () => {
    const { told, summary } = verify(from(gate, 180), { anchors: [upTo(100)], whole: false });
    expect(told).toEqual([]);
    expect(summary.unanchored).toBe(1);
    expect(verify(from(gate, 100), { anchors: [upTo(100)], whole: false }).summary.unanchored).toBe(
      0,
    );
  });
});

describe('an instance of which nothing is left', () => {
  const { head } = written();

  it('was due if its newest head is old enough, and is missing if not', () => {
    expect(verify([], { heads: [head!], anchors: [upTo(600)] }).told).toEqual([]);
    expect(verify([], { heads: [head!], anchors: [upTo(500)] }).told).toEqual([
      ['truncated', 1, head!.seq],
    ]);
    expect(verify([], { heads: [head!] }).told).toEqual([['truncated', 1, head!.seq]]);
  });
});

describe('an anchor', () => {
  const gate = written();
  const lines = from(gate, 100);

  it('counts for its own stream alone', () => {
    const told = ['0', '1', '2', '3'].map(
      (stream) => verify(lines, { anchors: [upTo(100, stream)] }).told,
    );
    expect(told.filter(({ length }) => length === 0)).toHaveLength(1);
    const all = ['0', '1', '2', '3'].map((stream) => upTo(100, stream));
    expect(verify(lines, { anchors: all }).told).toEqual([]);
  });

  it('is false, and accounts for nothing, of an unknown key, changed, or of a time to come', () => {
    const later = { ...upTo(90), trimmedBefore: iso(100) };
    const future = upTo(2 * 3600);
    for (const anchor of [upTo(100, 'all', FOREIGN), later, future]) {
      const { told } = verify(lines, { anchors: [anchor] });
      expect(told).toEqual([
        ['anchor-false', null, null],
        ['anchor-missing', 1, 99],
      ]);
    }
  });

  it('takes a pinned key where keys are pinned', () => {
    const trust = { keys: [{ key: KEY.id, publicKey: KEY.publicKey }], heads: [] };
    const foreign = upTo(100, 'all', FOREIGN);
    const keys = [KEY, FOREIGN];
    expect(verify(lines, { anchors: [foreign], keys }).told).toEqual([]);
    expect(verify(lines, { anchors: [foreign], keys, trust }).told).toEqual([
      ['anchor-false', null, null],
      ['anchor-missing', 1, 99],
    ]);
    expect(verify(lines, { anchors: [foreign, upTo(100)], keys, trust }).told).toHaveLength(1);
  });

  it('is taken from the log itself, where its writer recorded it', () => {
    const writer = new LogInstance('cutter.2', KEY, null, () => iso(900));
    const { instance: _instance, time: _time, ...own } = upTo(100);
    const signed = trimAnchor(writer, own.trimmedBefore, iso(900));
    writer.other({ ...own, ...signed, type: 'log-trimmed', phase: 'chain', count: 99 });
    writer.sign();
    expect(verify([...lines, ...writer.lines], {}).told).toEqual([]);
  });

  it('that came while the log was read accounts for what went meanwhile, and no earlier one', () => {
    const holed = gate.lines.toSpliced(50, 20);
    expect(verify(holed, { anchors: [upTo(100)] }).told).toEqual([['missing', 51, 70]]);
    const { told, summary } = verify(holed, { late: [upTo(100)] });
    expect(told).toEqual([]);
    expect(summary.goneMeanwhile).toBe(20);
    const younger = gate.lines.toSpliced(300, 20);
    expect(verify(younger, { late: [upTo(100)] }).told).toEqual([['missing', 301, 320]]);
  });
});
