import { pathToFileURL } from 'node:url';
import { parseSync } from 'rolldown/experimental';
import { projectFiles, read } from './tree.ts';

/** Text that somebody may come to read: at a terminal, in a browser, in a log or a document. */
export interface UserText {
  /** `src/cli/role.ts:12`. */
  readonly where: string;
  /** What is put in at run time is `{}`. */
  readonly text: string;
  /** The function or class that it is given to; empty where that has no name. */
  readonly to: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/** Of three words or more: shorter ones are names, keys and labels. */
const SENTENCE = /\S+\s+\S+\s+\S/;
/** Nobody reads types and names of modules. */
const UNREAD = /^(Import|ExportAll|TS(?!As|Satisfies|NonNull))/;

/** Every text of the sources that is long enough to be read as one, in the order of the files. */
export function userTexts(): readonly UserText[] {
  return projectFiles('src')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => textsIn(path, read(path)));
}

export function textsIn(path: string, source: string): readonly UserText[] {
  const texts: UserText[] = [];
  const visit = (value: unknown, to: string): void => {
    if (Array.isArray(value)) for (const one of value) visit(one, to);
    if (typeof value !== 'object' || value === null || !('type' in value)) return;
    const node = value as Node;
    if (UNREAD.test(node.type)) return;
    const inner = calleeOf(node) ?? to;
    const text = textOf(node);
    if (text !== null && SENTENCE.test(text))
      texts.push({ where: `${path}:${lineAt(source, node.start)}`, text, to: inner });
    // What is joined by + is one text.
    if (text !== null && node.type === 'BinaryExpression') return;
    for (const child of Object.values(node)) visit(child, inner);
  };
  visit(parseSync(path, source).program, '');
  return texts;
}

function lineAt(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}

function calleeOf({ type, callee, tag }: Node): string | null {
  const called = type === 'TaggedTemplateExpression' ? tag : callee;
  const { name, property } = (called ?? {}) as { readonly name?: string; readonly property?: Node };
  return name ?? (property?.name as string | undefined) ?? null;
}

/** Null: it is no text. */
function textOf(node: Node): string | null {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : null;
  if (node.type === 'TemplateLiteral')
    return (node.quasis as readonly { readonly value: { readonly cooked: string } }[])
      .map(({ value }) => value.cooked)
      .join('{}');
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return null;
  const [left, right] = [textOf(node.left as Node), textOf(node.right as Node)];
  return left === null && right === null ? null : `${left ?? '{}'}${right ?? '{}'}`;
}

// `bin/with-node test/house/texts.ts`: the table, to be read as a whole.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const { where, text, to } of userTexts())
    console.log([where, to, JSON.stringify(text)].join('\t'));
