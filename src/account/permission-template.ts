import { isName } from './model.ts';
import { isOwn, isPermission, PERMISSION_LENGTH_MAX } from './permission.ts';

/** A permission whose words may be variables: `deployments:{environment}:write`. */
export interface PermissionTemplate {
  readonly words: readonly ({ readonly literal: string } | { readonly variable: string })[];
  /** The variables in it, each once. */
  readonly variables: readonly string[];
}

const VARIABLE = /^\{([A-Za-z][A-Za-z0-9_-]{0,31})\}$/;
const BRACE = /[{}]/;
/** In a variable's place, to see whether the rest is a permission. */
const ANY_VALUE = 'x';

const NO_PERMISSION =
  'expected a permission such as deployments:write or deployments:{environment}:write, without *';

/**
 * Reads what a route requires. Null: a permission without variables. A string says what is wrong,
 * in words for whoever wrote it.
 *
 * The first word is literal, so that no request can choose among kinds of permissions, Sallyport's
 * own among them.
 */
export function parsePermissionTemplate(text: string): PermissionTemplate | string | null {
  if (isOwn(text)) return "no route may require one of Sallyport's own permissions";
  if (!BRACE.test(text)) return isPermission(text) ? null : NO_PERMISSION;
  const words = text.split(':').map((word) => {
    const variable = VARIABLE.exec(word)?.[1];
    return variable === undefined ? { literal: word } : { variable };
  });
  if (words[0] !== undefined && 'variable' in words[0])
    return 'the first word cannot be a variable: it says which kind of permission is asked for';
  if (words.some((word) => 'literal' in word && BRACE.test(word.literal)))
    return '{name} takes the place of a whole word between colons';
  const template = { words, variables: [...new Set(words.flatMap(variableIn))] };
  return isPermission(filled(template, () => ANY_VALUE)) ? template : NO_PERMISSION;
}

function variableIn(word: PermissionTemplate['words'][number]): readonly string[] {
  return 'variable' in word ? [word.variable] : [];
}

function filled(template: PermissionTemplate, valueFor: (variable: string) => string): string {
  let text = '';
  for (const word of template.words)
    text += `${text === '' ? '' : ':'}${'literal' in word ? word.literal : valueFor(word.variable)}`;
  return text;
}

/**
 * Whether a value may stand in a permission. Not with a final dot, which some servers drop: the
 * value would be another one to them.
 */
export function isPermissionValue(value: string): boolean {
  return isName(value) && !value.endsWith('.');
}

/**
 * The permission with a value in each variable's place, all of them `isPermissionValue`; null when
 * that makes it longer than a permission can be.
 */
export function fillPermission(
  template: PermissionTemplate,
  valueFor: (variable: string) => string,
): string | null {
  const permission = filled(template, valueFor);
  return permission.length > PERMISSION_LENGTH_MAX ? null : permission;
}
