import type { Machine } from './machine.ts';
import { EXTRA_LOADS, LOADS, TARGETS, type TargetName, YARDSTICK } from './names.ts';
import type { Result } from './result.ts';
import { peerOf } from './targets.ts';

/** Further loads that are measured like the others. */
const PER_REQUEST: ReadonlySet<string> = new Set([
  'decision',
  'grpc-unary',
  'h2-get-128',
  'ws-echo',
]);

/** Everything that was measured, as Markdown. */
export function tableText(results: readonly Result[], about: Machine): string {
  const parts = [`Measured on ${about.date}: ${about.text}.`];
  const targets = TARGETS.filter((target) => results.some((result) => result.target === target));
  for (const load of LOADS) {
    const rows = results.filter((result) => result.load === load);
    if (rows.length > 0) parts.push(loadTable(load, rows));
  }
  for (const load of EXTRA_LOADS) {
    const rows = results.filter((result) => result.load === load);
    if (rows.length > 0)
      parts.push(PER_REQUEST.has(load) ? loadTable(load, rows) : extraTable(load, rows));
  }
  parts.push(jobTable(targets));
  return parts.join('\n\n');
}

function loadTable(load: string, rows: readonly Result[]): string {
  const head = [
    'target',
    'CPU us / request',
    'user',
    'system',
    `ratio to ${YARDSTICK} [quartiles]`,
    'at the steady rate: CPU us',
    'user',
    'requests / s',
    'p50 ms',
    'p99 ms',
    'errors',
  ];
  const lines = rows.map((row) => {
    return [
      row.target,
      row.cpuUsPerRequest?.toFixed(1),
      row.userUsPerRequest?.toFixed(1),
      row.systemUsPerRequest?.toFixed(1),
      ratioText(row.pairedRatio),
      row.steadyCpuUsPerRequest?.toFixed(1),
      row.steadyUserUsPerRequest?.toFixed(1),
      row.requestsPerSecond,
      row.p50Ms,
      row.p99Ms,
      row.errors,
    ];
  });
  return `**${load}**\n\n${markdown(head, lines)}`;
}

function ratioText(ratio: Result['pairedRatio']): string | null {
  if (ratio === undefined || ratio === null) return null;
  const [low, middle, high] = ratio.map((value) => value.toFixed(2));
  return `${middle} [${low}, ${high}]`;
}

function extraTable(load: string, rows: readonly Result[]): string {
  const head = [
    'target',
    'p50 ms',
    'p99 ms',
    'p99 added ms',
    'p99 without idle connections ms',
    'KiB / idle connection',
    'ms to the first answer',
    'CPU ms to the first answer',
    'errors',
  ];
  const lines = rows.map((row) => {
    const kib =
      row.bytesPerConnection === undefined ? undefined : (row.bytesPerConnection / 1024).toFixed(1);
    return [
      row.target,
      row.p50Ms,
      row.p99Ms,
      row.addedP99Ms,
      row.p99AloneMs,
      kib,
      row.startMs,
      row.startCpuMs,
      row.errors,
    ];
  });
  return `**${load}**\n\n${markdown(head, lines)}`;
}

/** What each of them does for its figures. */
function jobTable(targets: readonly TargetName[]): string {
  const lines = targets.map((target) => {
    const { about, does } = peerOf(target);
    return [target, about, does.verify ?? 'no', does.inject ?? 'no', does.record ?? 'no'];
  });
  return `**What each target does**\n\n${markdown(['target', 'what it is', 'verifies the token', 'injects headers', 'records the call'], lines)}`;
}

type Cell = string | number | null | undefined;

function markdown(head: readonly string[], lines: readonly (readonly Cell[])[]): string {
  const row = (cells: readonly Cell[]) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}
