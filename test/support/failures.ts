import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { TestModule } from 'vitest/node';

/**
 * What a failure leaves: of an error as vitest brings it from the worker, the parts that tell most
 * in few lines.
 */
export interface Fault {
  readonly name?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly diff?: string;
}

/** How much is told of one failure, so that many still fit on a screen. */
const SHOWN = { columns: 200, messageLines: 3, diffLines: 4 } as const;

/**
 * All that went wrong in one file, each failure as its lines: first `FAILED file > test`, then what
 * begins with `FAILED | `.
 */
export function failuresOf(module: TestModule, root: string): string[][] {
  const file = relative(root, module.moduleId);
  const failures = told(file, module.errors(), root);
  for (const suite of module.children.allSuites())
    failures.push(...told(`${file} > ${suite.fullName}`, suite.errors(), root));
  for (const test of module.children.allTests()) {
    const { state, errors } = test.result();
    if (state === 'failed') failures.push(failure(`${file} > ${test.fullName}`, errors[0], root));
    else if (state === 'pending')
      failures.push(failure(`${file} > ${test.fullName} (was never run)`, undefined, root));
  }
  return failures;
}

/**
 * What is known of a file that did not come to its end: what failed in it until then, and the first
 * test without a result.
 */
export function underWay(module: TestModule, root: string): string[][] {
  const file = relative(root, module.moduleId);
  const pending = [...module.children.allTests('pending')][0];
  const at = pending === undefined ? file : `${file} > ${pending.fullName}`;
  const failed = [...module.children.allTests('failed')];
  const failures = failed.map((test) =>
    failure(`${file} > ${test.fullName}`, test.result().errors?.[0], root),
  );
  return [...failures, failure(`${at} (was under way)`, undefined, root)];
}

/** One failure as lines. Begins each with a word that can be searched for. */
export function failure(where: string, fault: Fault | undefined, root: string): string[] {
  const lines = fault === undefined ? [] : linesOf(fault, root);
  return [
    `FAILED ${cut(where.replace(/\s+/g, ' '))}`,
    ...lines.map((line) => `FAILED | ${cut(line)}`),
  ];
}

/** The errors of a file, or of a suite's hooks: they fail together. */
function told(where: string, faults: readonly Fault[], root: string): string[][] {
  return faults.length === 0 ? [] : [failure(where, faults[0], root)];
}

function linesOf(
  { name = 'Error', message = '', diff = '', stack = '' }: Fault,
  root: string,
): string[] {
  const said = textLines(`${name}: ${message}`).slice(0, SHOWN.messageLines);
  const differs = textLines(diff).filter(
    (line) => /^[-+] /.test(line) && !/^[-+] (Expected|Received)\b/.test(line),
  );
  return [...said, ...differs.slice(0, SHOWN.diffLines), ...placeIn(stack, root)];
}

/** Where in the project's own files it happened. */
function placeIn(stack: string, root: string): string[] {
  const own = stack
    .split('\n')
    .find(
      (line) =>
        /^\s*at /.test(line) && line.includes(`${root}/`) && !line.includes('/node_modules/'),
    );
  const place = own
    ?.split(`${root}/`)
    .at(-1)
    ?.match(/^[^)\s?]+/)?.[0];
  const position = own?.match(/(:\d+:\d+)\)?$/)?.[1] ?? '';
  return place === undefined ? [] : [`at ${place.endsWith(position) ? place : place + position}`];
}

function textLines(text: string): string[] {
  const lines = stripVTControlCharacters(text).split('\n');
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '');
}

function cut(line: string): string {
  return line.length <= SHOWN.columns ? line : `${line.slice(0, SHOWN.columns - 1)}…`;
}
