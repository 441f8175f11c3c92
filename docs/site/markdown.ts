import { targetOf } from './links.ts';
import type { Page } from './pages.ts';

/** As much of markdown-it's token as is used here. */
interface Token {
  readonly type: string;
  tag: string;
  readonly content: string;
  readonly children: Token[] | null;
  attrs: [string, string][] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}

type Rule = (tokens: Token[], at: number, options: unknown, env: unknown, self: Renderer) => string;

interface Renderer {
  readonly rules: Record<string, Rule | undefined>;
  renderToken(tokens: Token[], at: number, options: unknown): string;
}

export interface MarkdownIt {
  readonly core: {
    readonly ruler: {
      push(
        name: string,
        rule: (state: { tokens: Token[]; env: { source?: string | null } }) => void,
      ): void;
    };
  };
  readonly renderer: Renderer;
}

/**
 * Makes documents that were written for the repository into pages of the site: anchors as GitHub
 * makes them, links to where things are here, and nothing that the console's policy would block.
 *
 * @param brought is told each file that a page needs beside it
 */
export function adapt(
  md: MarkdownIt,
  pages: readonly Page[],
  brought: (path: string) => void,
): void {
  md.core.ruler.push('anchors', ({ tokens }) => anchor(tokens));
  md.core.ruler.push('links', ({ tokens, env }) => {
    for (const { children } of tokens)
      relink(children ?? [], (href) => {
        const target = targetOf(href, env.source ?? null, pages);
        if (target.kind === 'file') brought(target.path);
        return target;
      });
  });
  const { rules } = md.renderer;
  // What is wider than the page can be scrolled, by the keyboard too.
  rules.table_open = () => '<div class="scroll" tabindex="0"><table>\n';
  rules.table_close = () => '</table></div>\n';
  const image = ruleOf(rules, 'image');
  rules.image = (...all) =>
    all[0][all[1]]?.attrGet('src')?.endsWith('.svg') === true
      ? `<span class="scroll" tabindex="0">${image(...all)}</span>`
      : image(...all);
  for (const cell of ['th_open', 'td_open']) rules[cell] = aligned;
  for (const block of ['fence', 'code_block']) {
    const usual = ruleOf(rules, block);
    rules[block] = (...all) => usual(...all).replace(/^<pre/, '<pre tabindex="0"');
  }
}

function ruleOf(rules: Renderer['rules'], name: string): Rule {
  const rule = rules[name];
  if (rule === undefined) throw new Error(`markdown-it has no rule ${name}`);
  return rule;
}

function anchor(tokens: readonly Token[]): void {
  const seen = new Map<string, number>();
  tokens.forEach((token, at) => {
    if (token.type !== 'heading_open') return;
    const slug = slugOf((tokens[at + 1]?.children ?? []).map(({ content }) => content).join(''));
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    token.attrSet('id', before === 0 ? slug : `${slug}-${before}`);
  });
}

function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** Links never hold links, so the next `link_close` is that of the `link_open` before. */
function relink(
  tokens: readonly Token[],
  where: (href: string) => ReturnType<typeof targetOf>,
): void {
  let isText = false;
  for (const token of tokens) {
    if (token.type === 'link_close' && isText) {
      token.tag = 'span';
      isText = false;
    }
    const name = token.type === 'link_open' ? 'href' : token.type === 'image' ? 'src' : null;
    const href = name === null ? null : token.attrGet(name);
    if (name === null || href === null) continue;
    const target = where(href);
    if (target.kind !== 'sources') {
      token.attrSet(name, target.href);
      if (/^https?:/.test(target.href)) token.attrSet('rel', 'noreferrer');
      continue;
    }
    if (token.type === 'image')
      throw new Error(`${target.path}: a picture that the site does not bring along`);
    token.tag = 'span';
    token.attrs = [
      ['class', 'source'],
      ['title', `In the sources: ${target.path}`],
    ];
    isText = true;
  }
}

/**
 * The policy allows no style in the text, so columns are aligned by class. A corner of a table that
 * says nothing is no heading.
 */
const aligned: Rule = (tokens, at, options, _env, self) => {
  const token = tokens[at]!;
  const side = /text-align:(\w+)/.exec(token.attrGet('style') ?? '')?.[1];
  if (side !== undefined) token.attrs = [['class', side]];
  if (token.type === 'th_open' && tokens[at + 1]?.content === '') {
    token.tag = 'td';
    tokens[at + 2]!.tag = 'td';
  }
  return self.renderToken(tokens, at, options);
};
