import { parsePermissionTemplate } from '../../account/permission-template.ts';
import { isUnsafe } from '../../http/method.ts';
import type { ConfigPath, Report } from '../faults.ts';
import {
  type PathTemplate,
  parsePathTemplate,
  stripPrefixFault,
  variablesOf,
} from '../path-template.ts';
import { PUBLIC_METHODS } from '../sections/routes.ts';
import { nearest } from '../suggestion.ts';
import { isRouteHost } from '../values.ts';
import type { YamlSource } from '../yaml-source.ts';
import { checkHeaders } from './header-rules.ts';
import { group, has, list, type Raw, text } from './raw.ts';
import { checkVariables } from './variable-rules.ts';

/**
 * Rules between the keys of a route. They look at what is written, so that a slip in one key does
 * not hide the faults of another.
 */
export function checkRoutes(file: Raw, source: YamlSource, report: Report): void {
  const upstreams = Object.keys(group(file.upstreams));
  const names = new Map<string, number>();
  for (const [index, value] of list(file.routes).entries()) {
    const path = ['routes', index];
    const route = group(value);
    checkName(route, names, index, report);
    if (has(route, 'action')) checkAction(route, path, report);
    else checkUpstream(route, upstreams, path, source, report);
    checkHost(route, path, report);
    const template = checkPath(route, path, report);
    checkMethods(route, path, report);
    checkBodyOn(route, path, report);
    checkUpgrade(route, protocolOf(file, route), path, report);
    if (route.access === 'public') checkPublic(route, path, report);
    else if (!has(route, 'action')) checkPermission(route, template, path, report);
    if (!has(route, 'action')) checkApplication(route, template, path, report);
    checkVariables(route, template === null ? null : variablesOf(template), path, report);
    checkHeaders(route, path, source, report);
    if (list(route.rewriteOrigin).length > 0 && (text(route.stripPrefix) ?? '') !== '')
      report.fault(
        [...path, 'rewriteOrigin'],
        'not together with stripPrefix: the links would lack the prefix',
      );
    if (has(route, 'cors') && route.acceptBasic === true)
      report.fault(
        [...path, 'cors'],
        'not together with acceptBasic: a browser keeps a password and sends it along for any page',
      );
  }
}

function checkName(route: Raw, names: Map<string, number>, index: number, report: Report): void {
  const name = text(route.name);
  if (name === null) return;
  const other = names.get(name);
  if (other !== undefined)
    report.fault(['routes', index, 'name'], `routes[${other}] has the same name`);
  else names.set(name, index);
}

function checkUpstream(
  route: Raw,
  known: readonly string[],
  path: ConfigPath,
  source: YamlSource,
  report: Report,
): void {
  const here = [...path, 'upstream'];
  if (!has(route, 'upstream')) report.fault(here, 'is missing');
  const upstream = text(route.upstream);
  if (upstream === null || known.includes(upstream)) return;
  const suggestion = nearest(source.written(here), known);
  report.fault(
    here,
    `there is no upstream ${source.written(here)}${suggestion === null ? '' : ` (did you mean ${suggestion}?)`}`,
  );
}

function checkHost(route: Raw, path: ConfigPath, report: Report): void {
  const host = text(route.host);
  if (host === null || isRouteHost(host)) return;
  report.fault([...path, 'host'], 'expected a host name without port, *.example.com, or *');
}

function checkPath(route: Raw, path: ConfigPath, report: Report): PathTemplate | null {
  const written = text(route.path);
  if (written === null) return null;
  const template = parsePathTemplate(written);
  if (typeof template === 'string') {
    report.fault([...path, 'path'], template);
    return null;
  }
  const prefix = text(route.stripPrefix) ?? '';
  const fault = prefix === '' ? null : stripPrefixFault(prefix, template);
  if (fault !== null) report.fault([...path, 'stripPrefix'], fault);
  return template;
}

function checkMethods(route: Raw, path: ConfigPath, report: Report): void {
  const methods = list(route.methods);
  for (const [index, method] of methods.entries()) {
    const here = [...path, 'methods', index];
    if (methods.indexOf(method) !== index) report.fault(here, 'the method is given twice');
    if (method === 'CONNECT' || method === 'TRACE')
      report.fault(here, 'CONNECT and TRACE are never let in');
  }
}

function checkBodyOn(route: Raw, path: ConfigPath, report: Report): void {
  const methods = list(route.methods);
  const bodyOn = list(route.bodyOn);
  for (const [index, method] of bodyOn.entries()) {
    const here = [...path, 'bodyOn', index];
    if (bodyOn.indexOf(method) !== index) report.fault(here, 'the method is given twice');
    else if (route.access !== 'public' && !methods.includes(method))
      report.fault(here, 'the route does not take this method');
  }
}

/** How its upstream is spoken to, where that is said. */
function protocolOf(file: Raw, route: Raw): string | null {
  return text(group(group(file.upstreams)[text(route.upstream) ?? '']).protocol);
}

function checkUpgrade(route: Raw, protocol: string | null, path: ConfigPath, report: Report): void {
  const here = [...path, 'upgrade'];
  const protocols = list(route.upgrade);
  for (const [index, one] of protocols.entries())
    if (protocols.indexOf(one) !== index)
      report.fault([...here, index], 'the protocol is given twice');
  if (protocols.length === 0) return;
  if (route.access === 'public')
    report.fault(here, 'not on a public route: a tunnel is always of an account');
  else if (!has(route, 'action') && !list(route.methods).includes('GET'))
    report.fault(here, 'an upgrade is asked for with GET, which the route does not take');
  if ((protocol === 'h2' || protocol === 'h2c') && protocols.some((one) => one !== 'websocket'))
    report.fault(here, `only websocket to an upstream that is spoken to in ${protocol} (RFC 8441)`);
  if (has(route, 'variables'))
    report.fault(
      here,
      'not together with variables: they stand in a body, and an upgrade has none',
    );
}

function checkPublic(route: Raw, path: ConfigPath, report: Report): void {
  for (const [index, method] of list(route.methods).entries()) {
    const isAllowed = (PUBLIC_METHODS as readonly unknown[]).includes(method);
    if (!isAllowed)
      report.fault([...path, 'methods', index], 'a public route lets only GET and HEAD in');
  }
  if (group(route.rateLimit).per === 'account') {
    report.fault(
      [...path, 'rateLimit', 'per'],
      'a public route knows no accounts: only `per: route` is possible',
    );
  }
  if (list(route.bodyOn).length > 0)
    report.fault([...path, 'bodyOn'], 'a public route takes no body');
  for (const key of [
    'permission',
    'application',
    'upstreamChecksApplications',
    'variables',
    'acceptBareToken',
    'acceptBasic',
    'forwardAuthorization',
  ]) {
    if (has(route, key) && route[key] !== false)
      report.fault(
        [...path, key],
        'means nothing on a public route: no token is read or forwarded',
      );
  }
}

/** What is said of a call that is passed on means nothing where the gate answers. */
const OF_FORWARDED = [
  'upstream',
  'permission',
  'application',
  'upstreamChecksApplications',
  'variables',
  'bodyVariableBytes',
  'bodyOn',
  'upgrade',
  'stripPrefix',
  'forwardAuthorization',
  'headers',
  'rewriteOrigin',
];

function checkAction(route: Raw, path: ConfigPath, report: Report): void {
  for (const key of OF_FORWARDED) {
    if (has(route, key))
      report.fault(
        [...path, key],
        'means nothing with an action: whoever holds the token may exchange it, and no upstream is asked',
      );
  }
  if (route.access === 'public')
    report.fault([...path, 'action'], 'not on a public route: no token is read there');
  for (const [index, method] of list(route.methods).entries())
    if (method !== 'POST') report.fault([...path, 'methods', index], 'an action takes POST only');
}

function checkPermission(
  route: Raw,
  path: PathTemplate | null,
  here: ConfigPath,
  report: Report,
): void {
  if (!has(route, 'methods')) report.fault([...here, 'methods'], 'is missing');
  const key = [...here, 'permission'];
  const permission = text(route.permission);
  if (!has(route, 'permission'))
    report.fault(key, 'is missing (only a route with access: public needs none)');
  if (permission === null) return;
  const template = parsePermissionTemplate(permission);
  if (typeof template === 'string') report.fault(key, template);
  if (template === null || typeof template === 'string' || path === null) return;
  const known = knownVariables(route, path);
  const unknown = template.variables.find((variable) => !known.includes(variable));
  if (unknown !== undefined)
    report.fault(key, `the route has no variable {${unknown}}${listed(known)}`);
}

/** Of the path and of the body. */
function knownVariables(route: Raw, path: PathTemplate): readonly string[] {
  return [...variablesOf(path), ...Object.keys(group(route.variables))];
}

function listed(variables: readonly string[]): string {
  return variables.length === 0
    ? ''
    : `; it has ${variables.map((name) => `{${name}}`).join(', ')}`;
}

function checkApplication(
  route: Raw,
  template: PathTemplate | null,
  path: ConfigPath,
  report: Report,
): void {
  const here = [...path, 'application'];
  if (route.access !== 'public' && !has(route, 'application')) {
    report.fault(here, 'is missing: {variable}, the name of an application, any or some');
  }
  checkSome(route, path, report);
  const variable = /^\{(.*)\}$/.exec(text(route.application) ?? '')?.[1];
  if (variable === undefined || template === null) return;
  const known = knownVariables(route, template);
  if (!known.includes(variable))
    report.fault(here, `the route has no variable {${variable}}${listed(known)}`);
}

/** What one application permits may reach another: the service must be known to look. */
function checkSome(route: Raw, path: ConfigPath, report: Report): void {
  if (route.application !== 'some') {
    if (has(route, 'upstreamChecksApplications'))
      report.fault(
        [...path, 'upstreamChecksApplications'],
        'means nothing without `application: some`',
      );
    return;
  }
  if (route.upstreamChecksApplications === true) return;
  for (const [index, method] of list(route.methods).entries()) {
    if (typeof method === 'string' && isUnsafe(method))
      report.fault(
        [...path, 'methods', index],
        'with `application: some` one application that permits it lets a change to any other in: name the application, or say `upstreamChecksApplications: true` if the service itself goes by X-Account-Applications',
      );
  }
}
