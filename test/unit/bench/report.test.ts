import { expect, it } from 'vitest';
import { tableText } from '../../bench/report.ts';
import type { Result } from '../../bench/result.ts';

const about = { date: '2026-11-24', text: 'a machine' };

function result(target: Result['target'], cpuUsPerRequest: number, p99Ms: number | null): Result {
  return {
    load: 'get-128-tls',
    target,
    cpuUsPerRequest,
    userUsPerRequest: cpuUsPerRequest / 2,
    systemUsPerRequest: cpuUsPerRequest / 2,
    pairedRatio: [cpuUsPerRequest / 50, cpuUsPerRequest / 40, cpuUsPerRequest / 30],
    requestsPerSecond: 1000,
    p50Ms: p99Ms,
    p99Ms,
    errors: 0,
  };
}

it('shows every target as a multiple of the buffered gate, and leaves a cell empty where nothing was measured', () => {
  const text = tableText(
    [result('sallyport-buffered', 40, 1.5), result('caddy', 100, null)],
    about,
  );
  expect(text).toContain('Measured on 2026-11-24: a machine.');
  expect(text).toContain(
    '| sallyport-buffered | 40.0 | 20.0 | 20.0 | 1.00 [0.80, 1.33] |  |  | 1000 | 1.5 | 1.5 | 0 |',
  );
  expect(text).toContain(
    '| caddy | 100.0 | 50.0 | 50.0 | 2.50 [2.00, 3.33] |  |  | 1000 |  |  | 0 |',
  );
});

it('says of each target that was measured, and of no other, what it does and what it cannot do', () => {
  const text = tableText([result('haproxy', 30, 1)], about);
  expect(text).toMatch(/^\| haproxy \| .* \| map file, no Redis \| yes \| no \|$/m);
  expect(text).not.toContain('express-gateway');
});
