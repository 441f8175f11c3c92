import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Page, ROOT } from './pages.ts';

/** Where a link of a document leads on the site. */
export type Target =
  | { readonly kind: 'page'; readonly href: string }
  /** A file that the site brings along, by its path in the repository. */
  | { readonly kind: 'file'; readonly href: string; readonly path: string }
  /** Only whoever has the sources can follow it. */
  | { readonly kind: 'sources'; readonly path: string };

/** What people use as it is: examples, schemas, rules for Prometheus, pictures. */
const BROUGHT =
  /^(config\/(?!lifetime\/|docker\/).*\.[a-z]+$|docs\/.*\.(svg|png)$|LICENSE$|docker-compose\.yml$)/;

/** @param source the document in which the link stands; null: a generated page */
export function targetOf(href: string, source: string | null, pages: readonly Page[]): Target {
  if (/^([a-z]+:|#)/i.test(href)) return { kind: 'page', href };
  const [path = '', fragment] = href.split('#');
  const hash = fragment === undefined ? '' : `#${fragment}`;
  const target = normalize(join(dirname(source ?? 'docs/x'), decodeURIComponent(path))).replace(
    /\/$/,
    '',
  );
  const page =
    pages.find((one) => one.source === target) ??
    pages.find((one) => one.source === `${target}/README.md`) ??
    (source === null ? pages.find((one) => `docs/${one.name}.html` === target) : undefined);
  if (source === null && target === 'docs/openapi.json') return { kind: 'page', href };
  if (page !== undefined) return { kind: 'page', href: `${page.name}.html${hash}` };
  const file = join(ROOT, target);
  if (!existsSync(file)) throw new Error(`${source ?? 'a generated page'}: ${href} leads nowhere`);
  if (!BROUGHT.test(target) || !statSync(file).isFile()) return { kind: 'sources', path: target };
  return { kind: 'file', href: publishedAs(target), path: target };
}

/** `docs/pictures/x.svg` is `pictures/x.svg`, everything else lies in `files/`. */
export function publishedAs(path: string): string {
  return path.startsWith('docs/') ? path.slice('docs/'.length) : `files/${path}`;
}
