/**
 * The grammar of permissions, and the one question that is asked of them.
 *
 * A permission is two or more words joined by colons: `deployments:read`. A role lists patterns: a
 * permission; one in which `*` stands for a word in the middle (`deployments:*:write`) or for all
 * that follows (`deployments:*`); or `*` alone (everything about the proxied APIs). Sallyport's own
 * permissions begin with `sallyport:` and are a world apart: `*` never covers them, `sallyport:*`
 * covers exactly them, and there are only four.
 */
export const OWN_PERMISSIONS = [
  'sallyport:registry:read',
  'sallyport:registry:write',
  'sallyport:activity:read',
  'sallyport:instances:read',
] as const;

export type OwnPermission = (typeof OWN_PERMISSIONS)[number];

const EVERYTHING = '*';
const OWN_PREFIX = 'sallyport:';
const LETTER_S = 's'.charCodeAt(0);
const LOWER_CASE = 0x20;
const EVERYTHING_OWN = 'sallyport:*';
export const PERMISSION_LENGTH_MAX = 128;
const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const ANY_WORD = '*';

/**
 * Whether a permission or pattern is one of Sallyport's own: judged without regard to case, so that
 * no look-alike can exist beside them.
 */
export function isOwn(permission: string): boolean {
  // Asked at every call: nearly all begin with another letter.
  if ((permission.charCodeAt(0) | LOWER_CASE) !== LETTER_S) return false;
  return permission.slice(0, OWN_PREFIX.length).toLowerCase() === OWN_PREFIX;
}

/** Whether `text` is a permission that a route can require or a caller can have: no pattern. */
export function isPermission(text: string): boolean {
  if (text.length > PERMISSION_LENGTH_MAX) return false;
  if (isOwn(text)) return (OWN_PERMISSIONS as readonly string[]).includes(text);
  const words = text.split(':');
  return words.length >= 2 && words.every((word) => WORD.test(word));
}

/**
 * What is wrong with a pattern that a role is to list, in words for whoever wrote it; null when
 * nothing is.
 */
export function permissionFault(pattern: string): string | null {
  if (pattern === EVERYTHING || pattern === EVERYTHING_OWN || isPermission(pattern)) return null;
  if (isOwn(pattern)) return `must be one of ${OWN_PERMISSIONS.join(', ')} or ${EVERYTHING_OWN}`;
  if (isWidePattern(pattern)) return null;
  return 'must look like deployments:read, deployments:*:read, deployments:* or * (letters, digits, dots, hyphens and underscores, at most 128 characters)';
}

/** Has a `*` for whole words, the first one apart: no pattern reaches from one kind to another. */
function isWidePattern(pattern: string): boolean {
  if (!pattern.includes(ANY_WORD) || pattern.length > PERMISSION_LENGTH_MAX || isOwn(pattern))
    return false;
  const [first = '', ...words] = pattern.split(':');
  return (
    WORD.test(first) &&
    words.length > 0 &&
    words.every((word) => word === ANY_WORD || WORD.test(word))
  );
}

/** Its only `*` is its last word. */
function isPrefixPattern(pattern: string): boolean {
  return isWidePattern(pattern) && pattern.indexOf(ANY_WORD) === pattern.length - 1;
}

/** A role's permissions as one compiled question. Immutable. */
export interface PermissionSet {
  /** Whether a permission is covered. Ask only about permissions (`isPermission`). */
  allows(permission: string): boolean;
  /** Whether each permission that the pattern covers is covered here. */
  covers(pattern: string): boolean;
  /** The patterns that took part, for comparing sets. */
  readonly patterns: readonly string[];
}

/**
 * Compiles a role's list. A pattern that is none (a damaged record) covers nothing: it is left out,
 * so that a fault in the store can only take away.
 */
export function compilePermissions(patterns: readonly string[]): PermissionSet {
  return new CompiledPermissions(patterns.filter((pattern) => permissionFault(pattern) === null));
}

/** So many prefixes are tried sooner than the words of a permission are cut out and looked up. */
const FEW = 8;

class CompiledPermissions implements PermissionSet {
  readonly patterns: readonly string[];
  readonly #everything: boolean;
  readonly #everythingOwn: boolean;
  /** Permissions that are named in full. */
  readonly #named: ReadonlySet<string>;
  /** `deployments:` for `deployments:*`, where they are few. */
  readonly #fewPrefixes: readonly string[];
  /** And where they are many. */
  readonly #manyPrefixes: ReadonlySet<string>;
  /** The words of those with a `*` in the middle. */
  readonly #wide: readonly (readonly string[])[];

  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.#everything = patterns.includes(EVERYTHING);
    this.#everythingOwn = patterns.includes(EVERYTHING_OWN);
    this.#named = new Set(patterns.filter((pattern) => !pattern.includes(ANY_WORD)));
    const prefixes = patterns.filter(isPrefixPattern).map((pattern) => pattern.slice(0, -1));
    this.#fewPrefixes = prefixes.length <= FEW ? prefixes : [];
    this.#manyPrefixes = new Set(prefixes.length <= FEW ? [] : prefixes);
    this.#wide = patterns
      .filter((pattern) => isWidePattern(pattern) && !isPrefixPattern(pattern))
      .map((pattern) => pattern.split(':'));
  }

  allows(permission: string): boolean {
    if (this.#named.has(permission)) return true;
    // Before anything that is wide: what begins like our own is reached only by its full name or by
    // `sallyport:*`.
    if (isOwn(permission)) return this.#everythingOwn && isPermission(permission);
    return this.#everything || this.#hasPrefixOf(permission) || this.#isWithin(permission);
  }

  covers(pattern: string): boolean {
    if (pattern === EVERYTHING) return this.#everything;
    // Not even all four by name cover it: a later version may know a fifth, and a set must not grow
    // by an upgrade.
    if (pattern === EVERYTHING_OWN) return this.#everythingOwn;
    // Words are without number, so what one pattern alone does not cover, several do not either.
    // And `*` is no word, so that only a `*` matches it.
    return this.allows(pattern);
  }

  #isWithin(text: string): boolean {
    for (const words of this.#wide) if (matches(words, text)) return true;
    return false;
  }

  /**
   * Whether the text begins with one of the prefixes. Bounded: by 8 of them, or by the number of
   * words, as only `a:`, `a:b:`, … at its front can be among them.
   */
  #hasPrefixOf(text: string): boolean {
    for (const prefix of this.#fewPrefixes) if (text.startsWith(prefix)) return true;
    if (this.#manyPrefixes.size === 0) return false;
    for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
      if (this.#manyPrefixes.has(text.slice(0, colon + 1))) return true;
    }
    return false;
  }
}

/** Whether a pattern of these words covers the text. Without taking the text apart. */
function matches(words: readonly string[], text: string): boolean {
  let at = 0;
  const last = words.length - 1;
  for (let index = 0; index < last; index += 1) {
    const colon = text.indexOf(':', at);
    if (colon === -1 || !isWordAt(words[index]!, text, at, colon)) return false;
    at = colon + 1;
  }
  return isWordAt(words[last]!, text, at, text.length);
}

function isWordAt(word: string, text: string, start: number, end: number): boolean {
  return word === ANY_WORD || (end - start === word.length && text.startsWith(word, start));
}

/**
 * Whether set `a` reaches something that `b` does not: nobody may hand out more than they have.
 * Where it cannot be known for good (`sallyport:*` against its four names) the answer is yes.
 */
export function exceeds(a: PermissionSet, b: PermissionSet): boolean {
  return a.patterns.some((pattern) => !b.covers(pattern));
}

/**
 * Patterns of what both lists cover. Of two patterns with a `*` in the middle that cross (`a:*:c`
 * and `a:b:*`) it has nothing: rather too little than too much.
 */
export function commonPermissions(a: readonly string[], b: readonly string[]): readonly string[] {
  const [inA, inB] = [compilePermissions(a), compilePermissions(b)];
  return [
    ...new Set([
      ...inA.patterns.filter((pattern) => inB.covers(pattern)),
      ...inB.patterns.filter((pattern) => inA.covers(pattern)),
    ]),
  ];
}
