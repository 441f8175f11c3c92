import { setImmediate as turn } from 'node:timers/promises';
import { type Metric, Registry } from 'prom-client';

/** Samples that become text in one turn of the loop: about two milliseconds. */
export const SAMPLES_AT_ONCE = 500;

interface Gathered {
  readonly values?: readonly unknown[];
}

/**
 * The registry's text format, made in slices with a turn of the loop between them: a thousand routes
 * are 20,000 lines, and calls must not wait for all of them.
 */
export async function textInSlices(
  registry: Registry,
  give: () => Promise<unknown> = turn,
): Promise<string> {
  const texts: string[] = [];
  for (const metric of registry.getMetricsAsArray() as unknown as { get(): Promise<Gathered> }[]) {
    const { values = [], ...about } = await metric.get();
    const lines: string[] = [];
    for (let from = 0; from === 0 || from < values.length; from += SAMPLES_AT_ONCE) {
      const slice = { ...about, values: values.slice(from, from + SAMPLES_AT_ONCE) };
      const text = await textOf(slice);
      // HELP and TYPE stand once, above the first sample.
      lines.push(from === 0 ? text : text.split('\n').slice(2).join('\n'));
      await give();
    }
    texts.push(lines.join('\n'));
  }
  return `${texts.join('\n\n')}\n`;
}

async function textOf(metric: object): Promise<string> {
  const alone = new Registry();
  alone.registerMetric({ get: async () => metric } as unknown as Metric);
  return (await alone.metrics()).slice(0, -1);
}
