import { html, raw } from 'hono/html';
import type { Page, Section } from './pages.ts';

const MARK = html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="currentColor"/><path d="M7 25V9h3v2h3V9h6v2h3V9h3v16h-5v-5a4 4 0 0 0-8 0v5z" class="arch"/></svg>`;

/** A whole page: no script, one stylesheet, nothing from elsewhere. */
export function layout(page: Page, content: string, sections: readonly Section[]): string {
  const all = sections.flatMap(({ pages }) => pages);
  const at = all.indexOf(page);
  const parts = partsOf(content);
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · Sallyport</title>
<link rel="icon" href="mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="site.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top"><a class="brand" href="index.html">${MARK}Sallyport <span>documentation</span></a><a class="to-pages" href="#pages">All pages</a></header>
<div class="frame">
<main id="content" tabindex="-1">
${raw(content)}
<nav class="turn" aria-label="Next and previous">${turn('Before', all[at - 1])}${turn('Next', all[at + 1])}</nav>
</main>
${
  parts.length < 3
    ? ''
    : html`<nav class="parts" aria-label="On this page"><h2>On this page</h2><ul>${parts.map(
        ([id, title]) => html`<li><a href="#${id}">${raw(title)}</a></li>`,
      )}</ul></nav>`
}
<nav class="pages" id="pages" aria-label="Pages">${sections.map(
    ({ title, pages }) =>
      html`<h2>${title}</h2><ul>${pages.map(
        (one) =>
          html`<li><a href="${one.name}.html"${one === page ? raw(' aria-current="page"') : ''}>${one.title}</a></li>`,
      )}</ul>`,
  )}</nav>
</div>
</body>
</html>
`);
}

function turn(word: string, page: Page | undefined) {
  return page === undefined
    ? html`<span></span>`
    : html`<a href="${page.name}.html"><small>${word}</small> ${page.title}</a>`;
}

/** Second-level headings, and their text without links. */
function partsOf(content: string): readonly (readonly [id: string, title: string])[] {
  return [...content.matchAll(/<h2 id="([^"]*)">([\s\S]*?)<\/h2>/g)].map(
    ([, id = '', title = '']) => [id, title.replace(/<\/?(a|span)\b[^>]*>/g, '')] as const,
  );
}
