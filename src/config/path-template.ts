import { isUnambiguousPath } from '../http/target.ts';

/** A route's path, taken apart. */
export interface PathTemplate {
  /** Without the leading `/`; a trailing slash makes a last, empty literal. */
  readonly segments: readonly ({ readonly literal: string } | { readonly variable: string })[];
  /**
   * What the last segment ends in after a colon: `cancel` of `/tasks/{task}:cancel`. A segment of a
   * path is split at its last colon. Null where the template has none.
   */
  readonly verb: string | null;
  /** Ends in `/**`: whatever follows matches, also nothing. */
  readonly open: boolean;
}

const MAX_SEGMENTS = 32;
const VARIABLE = /^\{([A-Za-z][A-Za-z0-9_-]{0,31})\}$/;
const OPEN_END = '/**';

/**
 * Reads a path template; the answer is a string, in words for whoever wrote it, when it is none.
 * Literal segments must be able to pass the gate on targets: a route that no request can reach
 * is a mistake, not a precaution.
 */
export function parsePathTemplate(path: string): PathTemplate | string {
  if (!path.startsWith('/')) return 'a path begins with /';
  const open = path.endsWith(OPEN_END);
  const front = open ? path.slice(0, -OPEN_END.length) : path;
  const words = front === '' ? [] : front.slice(1).split('/');
  if (words.length > MAX_SEGMENTS) return `a path has at most ${MAX_SEGMENTS} segments`;
  const verb = open ? null : takeVerb(words);
  const segments = words.map((word) => {
    const variable = VARIABLE.exec(word)?.[1];
    return variable === undefined ? { literal: word } : { variable };
  });
  return verbFault(words, verb) ?? segmentsFault(segments, verb, open) ?? { segments, verb, open };
}

/** Takes the verb off the last word. */
function takeVerb(words: string[]): string | null {
  const last = words.at(-1) ?? '';
  const colon = last.lastIndexOf(':');
  if (colon === -1) return null;
  words[words.length - 1] = last.slice(0, colon);
  return last.slice(colon + 1);
}

function verbFault(words: readonly string[], verb: string | null): string | null {
  if (words.some((word) => word.includes(':')))
    return 'a colon stands only before a verb at the end of the path, as in /tasks/{task}:cancel';
  if (verb === null) return null;
  if (words.at(-1) === '') return 'before the colon of a verb stands a name or {name}';
  return verb !== '' && LITERAL.test(verb) && !verb.endsWith('.')
    ? null
    : 'a verb is made of letters, digits and . _ ~ - alone, and does not end in a dot';
}

/**
 * Literals are of unreserved characters alone (RFC 3986 §2.3). The target gate lets nobody escape
 * those, so that a literal has exactly one spelling; beside a literal `a;b` there would be `a%3Bb`,
 * which some upstreams take for the same. The colon of a verb has two spellings: that the escaped
 * one may be meant is one of the readings that routes are asked for (decision/path-readings.ts).
 */
const LITERAL = /^[A-Za-z0-9._~-]*$/;

function segmentsFault(
  segments: PathTemplate['segments'],
  verb: string | null,
  open: boolean,
): string | null {
  const variables = segments.flatMap((segment) =>
    'variable' in segment ? [segment.variable] : [],
  );
  const twice = variables.find((variable, index) => variables.indexOf(variable) !== index);
  if (twice !== undefined) return `{${twice}} stands twice in the path`;
  const literals = segments.flatMap((segment) => ('literal' in segment ? [segment.literal] : []));
  if (literals.some((literal) => /[{}]/.test(literal)))
    return '{name} takes the place of a whole segment, or of what stands before a verb; names have letters, digits, _ and -';
  if (literals.some((literal) => literal.includes('*')))
    return '* stands only in /** at the end of the path';
  if (!literals.every((literal) => LITERAL.test(literal)))
    return 'literal segments are made of letters, digits and . _ ~ - alone';
  if (literals.some((literal) => literal.endsWith('.')))
    return 'no literal segment ends in a dot: servers that drop it would take the path for another one';
  const words = segments.map((segment) => ('literal' in segment ? segment.literal : 'x'));
  const example = `/${words.join('/')}${verb === null ? '' : `:${verb}`}`;
  // With what `/**` stands for, too: an empty segment before it would make every longer path
  // ambiguous.
  if (
    !isUnambiguousPath(example) ||
    (open && segments.length > 0 && !isUnambiguousPath(`${example}/x`))
  ) {
    return 'no request can have this path: empty segments and dot segments are refused at the door';
  }
  return null;
}

/** The variables of a template, in order. */
export function variablesOf(template: PathTemplate): readonly string[] {
  return template.segments.flatMap((segment) => ('variable' in segment ? [segment.variable] : []));
}

/**
 * What is wrong with a prefix that is to be removed from paths of this template; null when nothing
 * is.
 */
export function stripPrefixFault(prefix: string, template: PathTemplate): string | null {
  if (!prefix.startsWith('/') || prefix.endsWith('/'))
    return 'expected leading segments of the path such as /api, without a slash at the end';
  const words = prefix.slice(1).split('/');
  const fits = words.every((word, index) => {
    const segment = template.segments[index];
    return segment !== undefined && 'literal' in segment && segment.literal === word;
  });
  if (!fits) return 'must be whole literal segments at the beginning of the path';
  return words.length === template.segments.length && !template.open
    ? 'would leave nothing of the path'
    : null;
}
