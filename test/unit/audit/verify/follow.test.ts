import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FollowState, followAudit } from '../../../../src/admin/follow-audit.ts';
import { type AuditScan, AuditUnavailable } from '../../../../src/audit/port.ts';
import type { Finding } from '../../../../src/audit/verify/finding.ts';
import { systemClock } from '../../../../src/clock.ts';
import { LogInstance, makeLogKey } from '../../../support/chained-log.ts';

const KEY = makeLogKey();
const TIMES = { lookEveryMs: 2, settleEveryMs: 10, lastingMs: 60 };

describe('a record that is followed', () => {
  let log: LogInstance;
  let stored: string[];
  let heads: string[];
  let isAway: boolean;
  let findings: Finding[];
  let awayWords: (string | null)[];
  let state: FollowState | null;
  let stop: AbortController;
  let ended: Promise<void>;

  const unlessAway = async <T>(value: T): Promise<T> => {
    if (isAway) throw new AuditUnavailable('gone');
    return value;
  };
  const record = {
    async scan({ after, limit }) {
      const from = Number(after ?? 0);
      const events = await unlessAway(stored.slice(from, from + limit));
      return { events, next: String(from + events.length), isEnd: events.length < limit };
    },
    size: () => unlessAway(stored.length),
    heads: () => unlessAway(heads),
    anchors: () => unlessAway([]),
    keys: () =>
      unlessAway([{ key: KEY.id, publicKey: KEY.publicKey, instance: 'gate-a.1', time: '' }]),
  } satisfies Partial<AuditScan>;

  beforeEach(() => {
    log = new LogInstance('gate-a.1', KEY, null, () => new Date().toISOString());
    [stored, heads, isAway, findings, awayWords, state] = [[], [], false, [], [], null];
    stop = new AbortController();
    stored.push(...log.lines);
    const observer = {
      found: (finding: Finding) => findings.push(finding),
      read: (read: FollowState) => {
        state = read;
      },
      away: (why: string | null) => awayWords.push(why),
    };
    ended = followAudit(record as never, null, observer, systemClock, stop.signal, TIMES);
  });
  afterEach(async () => {
    stop.abort();
    await ended;
  });

  const signAll = () => {
    log.sign();
    heads = [JSON.stringify(log.head)];
  };
  /** Some calls and a head, all stored but those that are taken out. */
  const write = (count: number, taken: readonly number[] = []) => {
    const from = log.lines.length;
    for (let n = 0; n < count; n += 1) log.call(n % 5 === 4);
    signAll();
    const lines = log.lines.slice(from);
    stored.push(...lines.filter((_line, at) => !taken.includes(from + at + 1)));
  };
  const read = (events: number) => vi.waitFor(() => expect(state?.events).toBe(events), 10_000);
  const kinds = () => findings.map(({ kind, firstSeq, lastSeq }) => [kind, firstSeq, lastSeq]);
  const rounds = async () => {
    // Heads are judged in rounds: what is right must stay unsaid over some of them.
    const { readMs } = state!;
    await vi.waitFor(() => expect(state!.readMs).toBeGreaterThan(readMs + 200), 10_000);
  };

  it('is read as it comes, and nothing is found in it', async () => {
    await read(1);
    write(20);
    await read(22);
    write(30);
    await read(53);
    await rounds();
    expect(kinds()).toEqual([]);
  });

  it('has what was taken out told once, while it goes on', async () => {
    write(20, [7, 8]);
    await vi.waitFor(() => expect(kinds()).toEqual([['missing', 7, 8]]), 10_000);
    write(20);
    await rounds();
    expect(kinds()).toEqual([['missing', 7, 8]]);
    expect(state).toMatchObject({ gaps: 1, edits: 0 });
  });

  it('has an event that was changed told, and an end that was cut off', async () => {
    write(20);
    await read(22);
    const from = log.lines.length;
    for (let n = 0; n < 9; n += 1) log.call();
    signAll();
    const more = log.lines.slice(from);
    stored.push(...more.map((line, at) => (at === 3 ? line.replace('200', '404') : line)));
    await vi.waitFor(() => expect(kinds()).toMatchObject([['changed', 22, 31]]), 10_000);
    for (let n = 0; n < 5; n += 1) log.call();
    signAll();
    await vi.waitFor(() => expect(kinds()[1]).toEqual(['truncated', 33, 38]), 10_000);
    expect(state).toMatchObject({ gaps: 1, edits: 1 });
  });

  it('waits for a store that is away, and goes on where it was', async () => {
    write(20);
    await read(22);
    isAway = true;
    await vi.waitFor(() => expect(awayWords).toHaveLength(1), 10_000);
    isAway = false;
    write(20);
    await read(43);
    expect(awayWords).toEqual([expect.stringContaining('gone'), null]);
    expect(kinds()).toEqual([]);
  });

  it('tells a loss when it is declared, and takes what is sent again for no edit', async () => {
    write(20);
    await read(22);
    // The store has lost what it had and gets it again.
    stored.push(...log.lines.slice(-6));
    await read(28);
    const line = log.lose(4);
    signAll();
    stored.push(...log.lines.slice(log.lines.indexOf(line)));
    await vi.waitFor(() => expect(kinds()).toEqual([['lost', 23, 26]]), 10_000);
    await rounds();
    expect(kinds()).toEqual([['lost', 23, 26]]);
  });
});
