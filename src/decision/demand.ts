import {
  fillPermission,
  isPermissionValue,
  type PermissionTemplate,
} from '../account/permission-template.ts';
import type { Route } from './route.ts';
import type { Variable } from './route-table.ts';

/**
 * What a call asks of its caller's roles, where it is more than one application and the permission
 * that the route names. All of it must be permitted.
 */
export interface Demand {
  /** In the registry's spelling, each once; null: the call is about any. */
  readonly applications: readonly string[] | null;
  /** With values in the place of variables, each once. */
  readonly permissions: readonly string[];
}

/** So many permissions are asked for one call. More are refused: the record has room for these. */
const PERMISSIONS_MAX = 100;

export type PermissionsFault =
  /** No value, or one that is no possible name. */
  { readonly kind: 'no-value'; readonly variable: string } | { readonly kind: 'too-many' };

/**
 * The permissions that a call needs: the route's, with every value in the place of its variables,
 * and all combinations where there are several.
 */
export function permissionsOf(
  { permission, permissionTemplate }: Route,
  variables: readonly Variable[],
): readonly string[] | PermissionsFault {
  if (permissionTemplate === null) return permission === null ? [] : [permission];
  if (variables.length === 0) return noValue(permissionTemplate.variables[0]!);
  return hasSingleValues(variables)
    ? single(permissionTemplate, variables)
    : combined(permissionTemplate, variables);
}

/** Nearly always: every variable has one value. */
function single(
  template: PermissionTemplate,
  variables: readonly Variable[],
): readonly string[] | PermissionsFault {
  const valueFor = (name: string) => variables.find((variable) => variable.name === name)?.value;
  for (const name of template.variables) {
    const value = valueFor(name);
    if (value === undefined || !isPermissionValue(value)) return noValue(name);
  }
  const permission = fillPermission(template, (name) => valueFor(name)!);
  return permission === null ? noValue(template.variables[0]!) : [permission];
}

function combined(
  template: PermissionTemplate,
  variables: readonly Variable[],
): readonly string[] | PermissionsFault {
  let choices: readonly (readonly Variable[])[] = [[]];
  for (const name of template.variables) {
    const values = valuesOf(variables, name);
    if (values.length === 0) return noValue(name);
    if (choices.length * values.length > PERMISSIONS_MAX) return { kind: 'too-many' };
    choices = choices.flatMap((chosen) => values.map((value) => [...chosen, { name, value }]));
  }
  const permissions: string[] = [];
  for (const chosen of choices) {
    const one = single(template, chosen);
    if ('kind' in one) return one;
    permissions.push(...one);
  }
  return permissions;
}

function noValue(variable: string): PermissionsFault {
  return { kind: 'no-value', variable };
}

function hasSingleValues(variables: readonly Variable[]): boolean {
  for (let index = 1; index < variables.length; index += 1)
    for (let other = 0; other < index; other += 1)
      if (variables[index]!.name === variables[other]!.name) return false;
  return true;
}

/** The values that a variable has, in their order, each once. */
export function valuesOf(variables: readonly Variable[], name: string): readonly string[] {
  return [
    ...new Set(variables.filter((variable) => variable.name === name).map(({ value }) => value)),
  ];
}
