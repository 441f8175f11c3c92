import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { findProgram } from './system.ts';

/** A real Prometheus on a free port of the loopback, which scrapes every second. */
export interface Prometheus {
  /** What an instant query answers: the samples' values, `NaN` among them. Throws its errors. */
  query(expression: string): Promise<readonly number[]>;
  /** Trace ids of the exemplars of the series that an expression names. */
  exemplars(expression: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const READY_MS = 20_000;

/**
 * @param target `host:port` to scrape
 * @param ruleFiles absolute paths
 */
export async function startPrometheus(
  target: string,
  ruleFiles: readonly string[],
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-prometheus-'));
  const port = await freePort();
  // JSON is YAML.
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: 'sallyport', static_configs: [{ targets: [target] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const child = spawn(
    findProgram('prometheus')!,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const base = `http://127.0.0.1:${port}`;
  for (const endMs = performance.now() + READY_MS; ; await sleep(50)) {
    if (
      await fetch(`${base}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    if (performance.now() < endMs && child.exitCode === null) continue;
    await stop();
    throw new Error(`Prometheus did not start: ${said}`);
  }
  return {
    query: (expression) => query(base, expression),
    exemplars: (expression) => exemplars(base, expression),
    stop,
  };
}

async function query(base: string, expression: string): Promise<readonly number[]> {
  const response = await fetch(`${base}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expression }),
  });
  const { error, data } = (await response.json()) as {
    error?: string;
    data?: { result: readonly { value: readonly [number, string] }[] };
  };
  if (data === undefined) throw new Error(`${expression}: ${error}`);
  return data.result.map(({ value }) => Number(value[1]));
}

async function exemplars(base: string, expression: string): Promise<readonly string[]> {
  const endS = Date.now() / 1000 + 60;
  const body = new URLSearchParams({ query: expression, start: `${endS - 600}`, end: `${endS}` });
  const response = await fetch(`${base}/api/v1/query_exemplars`, { method: 'POST', body });
  const { error, data } = (await response.json()) as {
    error?: string;
    data?: readonly { exemplars: readonly { labels: { trace_id: string } }[] }[];
  };
  if (data === undefined) throw new Error(`${expression}: ${error}`);
  return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
}

/** What the panels of a Grafana dashboard ask, with its variables filled in. */
export function expressionsOf(dashboard: string): readonly string[] {
  const { panels } = JSON.parse(readFileSync(dashboard, 'utf8')) as {
    panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  };
  return panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll('$__rate_interval', '30s').replace(/\$(job|instance)\b/g, '.*'));
}
