import { type Metric, Registry, type RegistryContentType } from 'prom-client';
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

/** `openmetrics` has exemplars (OpenMetrics 1.0.0), `plain` (Prometheus 0.0.4) has none. */
export type TextFormat = 'plain' | 'openmetrics';

export const TEXT_TYPES: Readonly<Record<TextFormat, RegistryContentType>> = {
  plain: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** Behind the last metric. */
const LAST: Readonly<Record<TextFormat, string>> = { plain: '\n', openmetrics: '\n# EOF\n' };

/** The text of metrics in pieces. */
export async function textOf(
  pieces: AsyncIterable<MetricPiece>,
  format: TextFormat = 'plain',
): Promise<string> {
  const texts: string[] = [];
  const between = format === 'plain' ? '\n' : '';
  let before: string | null = null;
  for await (const piece of pieces) {
    const text = await textOfOne(format === 'plain' ? piece : asFamily(piece), format);
    if (piece.name !== before) texts.push(before === null ? text : `${between}${text}`);
    // HELP and TYPE stand once, above the first sample.
    else texts.push(text.split('\n').slice(2).join('\n'));
    before = piece.name;
  }
  return `${texts.join('\n')}${LAST[format]}`;
}

/** A counter without the `_total` of its samples: prom-client appends it to each. */
function asFamily(piece: MetricPiece): MetricPiece {
  return piece.type === 'counter' ? { ...piece, name: piece.name.replace(/_total$/, '') } : piece;
}

/** Without what stands behind the last metric. */
async function textOfOne(metric: object, format: TextFormat): Promise<string> {
  const alone: Registry<RegistryContentType> = new Registry();
  alone.setContentType(TEXT_TYPES[format]);
  alone.registerMetric({ get: async () => metric } as unknown as Metric);
  return (await alone.metrics()).slice(0, -LAST[format].length);
}

const OPENMETRICS = /^application\/openmetrics-text$/i;
/** Others that somebody may rank, as protobuf, are not to be had here. */
const PLAIN = /^(?:text\/(?:plain|\*)|\*\/\*)$/i;

/**
 * OpenMetrics for whoever names it and ranks nothing above it (RFC 9110 §12.5.1), as Prometheus
 * does. Versions are not told apart: there is one of it.
 *
 * @param accept the request's `Accept`
 */
export function preferredFormat(accept: string): TextFormat {
  let [named, plain] = [0, 0];
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = parameters.find((one) => /^q=/i.test(one))?.slice(2) ?? '1';
    if (OPENMETRICS.test(type)) named = Math.max(named, Number(weight));
    else if (PLAIN.test(type)) plain = Math.max(plain, Number(weight));
  }
  return named > 0 && named >= plain ? 'openmetrics' : 'plain';
}
