import { type Metric, Registry } from 'prom-client';
import { turn } from '../turns.ts';

/** Samples that are worked on in one turn of the loop: about two milliseconds. */
export const SAMPLES_AT_ONCE = 500;

/** Some samples of one metric, as plain values. There is more in it than is named here. */
export interface MetricPiece {
  readonly name: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values?: readonly unknown[];
}

/**
 * The metrics of a registry in pieces, each in a turn of the loop of its own: a thousand routes are
 * 20,000 samples, and calls must not wait for all of them. Pieces of one metric follow one another.
 */
export async function* piecesOf(registry: Registry): AsyncGenerator<MetricPiece> {
  for (const metric of registry.getMetricsAsArray() as unknown as {
    get(): Promise<MetricPiece>;
  }[]) {
    await turn();
    const gathered = await metric.get();
    yield* sliced(gathered);
  }
}

/** A metric with more samples than are worked on at once, in pieces. */
async function* sliced(metric: MetricPiece): AsyncGenerator<MetricPiece> {
  const { values = [] } = metric;
  for (let from = 0; from === 0 || from < values.length; from += SAMPLES_AT_ONCE) {
    await turn();
    yield { ...metric, values: values.slice(from, from + SAMPLES_AT_ONCE) };
  }
}

/** The text format of metrics in pieces. */
export async function textOf(pieces: AsyncIterable<MetricPiece>): Promise<string> {
  const texts: string[] = [];
  let before: string | null = null;
  for await (const piece of pieces) {
    const text = await textOfOne(piece);
    if (piece.name !== before) texts.push(before === null ? text : `\n${text}`);
    // HELP and TYPE stand once, above the first sample.
    else texts.push(text.split('\n').slice(2).join('\n'));
    before = piece.name;
  }
  return `${texts.join('\n')}\n`;
}

async function textOfOne(metric: object): Promise<string> {
  const alone = new Registry();
  alone.registerMetric({ get: async () => metric } as unknown as Metric);
  return (await alone.metrics()).slice(0, -1);
}
