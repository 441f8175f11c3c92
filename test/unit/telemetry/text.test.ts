import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { SAMPLES_AT_ONCE, textInSlices } from '../../../src/telemetry/text.ts';

it('is the same text, made of so many samples a turn', async () => {
  const registry = new Registry();
  const counter = new Counter({
    name: 'calls',
    help: 'c',
    labelNames: ['n'],
    registers: [registry],
  });
  for (let n = 0; n < 10 * SAMPLES_AT_ONCE; n += 1) counter.inc({ n });
  new Gauge({ name: 'empty', help: 'g', labelNames: ['n'], registers: [registry] });
  new Histogram({ name: 'times', help: 'h', registers: [registry] }).observe(1);
  let turns = 0;
  const text = await textInSlices(registry, async () => {
    turns += 1;
  });
  expect(text).toBe(await registry.metrics());
  expect(turns).toBe(12);
});
