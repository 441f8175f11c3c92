import type { ConfigPath, Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, list, type Raw, text } from './raw.ts';

/** Of the environment, without a default: that would stand in the file. */
const VARIABLE = /(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*\}/;

/** `owner`: a route or an upstream. */
export function checkHeaders(owner: Raw, at: ConfigPath, source: YamlSource, report: Report): void {
  const headers = group(owner.headers);
  const path = [...at, 'headers'];
  const set = group(headers.set);
  checkNames(Object.keys(set), list(headers.remove), path, report);
  for (const [name, value] of Object.entries(set)) {
    const here = [...path, 'set', name];
    const isWritten = typeof value === 'string' && !VARIABLE.test(source.written(here));
    if (isWritten || has(group(value), 'value'))
      report.fault(
        here,
        'a value is not written into this file: use valueFile, or a variable of the environment',
      );
  }
}

function checkNames(
  set: readonly string[],
  remove: readonly unknown[],
  path: ConfigPath,
  report: Report,
): void {
  const seen = new Set<string>();
  const look = (name: unknown, here: ConfigPath) => {
    const lower = text(name)?.toLowerCase() ?? '';
    if (seen.has(lower))
      report.fault(here, 'the field is named twice (letter case does not count)');
    seen.add(lower);
  };
  for (const name of set) look(name, [...path, 'set', name]);
  for (const [index, name] of remove.entries()) look(name, [...path, 'remove', index]);
}
