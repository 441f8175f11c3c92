import { WITHOUT_BODY } from '../../http/method.ts';
import type { ConfigPath, Report } from '../faults.ts';
import { excludeEachOther, type JsonPointer, parseJsonPointer } from '../json-pointer.ts';
import { group, has, list, type Raw, text } from './raw.ts';

/** Rules about the variables of a route whose values stand in the body. */
export function checkVariables(
  route: Raw,
  ofPath: readonly string[] | null,
  path: ConfigPath,
  report: Report,
): void {
  const names = Object.keys(group(route.variables));
  if (names.length === 0) {
    if (has(route, 'bodyVariableBytes'))
      report.fault([...path, 'bodyVariableBytes'], 'means nothing without variables');
    return;
  }
  checkNames(route, names, ofPath, [...path, 'variables'], report);
  checkPointers(group(route.variables), [...path, 'variables'], report);
  if (route.access !== 'public') checkTakesBodies(route, path, report);
}

function checkNames(
  route: Raw,
  names: readonly string[],
  ofPath: readonly string[] | null,
  here: ConfigPath,
  report: Report,
): void {
  const used = `${text(route.application) ?? ''} ${text(route.permission) ?? ''}`;
  for (const name of names) {
    if (ofPath?.includes(name) === true)
      report.fault([...here, name], 'the path has a variable of the same name');
    else if (!used.includes(`{${name}}`))
      report.fault(
        [...here, name],
        `decides nothing: use {${name}} in application or permission, or leave it out`,
      );
  }
}

function checkPointers(variables: Raw, here: ConfigPath, report: Report): void {
  const read: { name: string; pointer: JsonPointer }[] = [];
  for (const [name, value] of Object.entries(variables)) {
    const written = text(group(value).json);
    if (written === null) continue;
    const pointer = parseJsonPointer(written);
    if (typeof pointer === 'string') {
      report.fault([...here, name, 'json'], pointer);
      continue;
    }
    const other = read.find((one) => excludeEachOther(one.pointer, pointer));
    if (other !== undefined)
      report.fault([...here, name, 'json'], `no body has values both here and for {${other.name}}`);
    read.push({ name, pointer });
  }
}

/** Without a body such a route refuses everything. */
function checkTakesBodies(route: Raw, path: ConfigPath, report: Report): void {
  for (const [index, method] of list(route.methods).entries()) {
    const isUnusual = (WITHOUT_BODY as readonly unknown[]).includes(method);
    if (isUnusual && !list(route.bodyOn).includes(method))
      report.fault(
        [...path, 'methods', index],
        'the route is decided by the body: name the method in bodyOn too, or give it a route of its own',
      );
  }
}
