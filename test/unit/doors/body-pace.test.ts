import { expect, it } from 'vitest';
import { BodyPace } from '../../../src/doors/body-pace.ts';

const limits = { minBodyBytesPerSecond: 100, bodyGraceMs: 1000 };

function begun(changes: Partial<typeof limits> = {}): BodyPace {
  const pace = new BodyPace();
  pace.begin({ ...limits, ...changes });
  return pace;
}

it('gives a body its grace, and each byte time at the slowest pace', () => {
  const pace = begun();
  expect(pace.wait(0)).toBe(1000);
  pace.came(50, 900);
  expect(pace.wait(900)).toBe(1500);
  pace.came(1, 1400);
  expect(pace.wait(1400)).toBe(1510);
});

it('holds a body to the pace in the long run, however its bytes are spread', () => {
  for (const [everyMs, bytes, lasts] of [
    [500, 50, true],
    [100, 10, true],
    [500, 49, false],
    [100, 9, false],
  ] as const) {
    const pace = begun();
    let nowMs = 0;
    while (nowMs < 3_600_000 && nowMs < pace.wait(nowMs)) {
      pace.came(bytes, nowMs);
      nowMs += everyMs;
    }
    expect(nowMs >= 3_600_000, `${bytes} bytes every ${everyMs} ms`).toBe(lasts);
  }
});

it('lets a fast beginning buy no more than the grace', () => {
  const pace = begun();
  pace.wait(0);
  pace.came(1_000_000, 10);
  expect(pace.wait(10)).toBe(1010);
});

it('does not count time in which somebody else is waited for', () => {
  const pace = begun();
  pace.wait(0);
  pace.pause(400);
  pace.pause(500);
  expect(pace.wait(100_000)).toBe(100_600);
  pace.pause(100_500);
  pace.came(20, 100_500);
  expect(pace.wait(200_000)).toBe(200_300);
});

it('begins anew with the next body, and sets no bound where there is no pace', () => {
  const pace = begun();
  pace.wait(0);
  pace.pause(999);
  pace.begin(limits);
  expect(pace.wait(5000)).toBe(6000);
  const free = begun({ minBodyBytesPerSecond: 0 });
  free.came(1, 0);
  expect(free.wait(0)).toBe(Number.POSITIVE_INFINITY);
  free.pause(10);
  expect(free.wait(20)).toBe(Number.POSITIVE_INFINITY);
});
