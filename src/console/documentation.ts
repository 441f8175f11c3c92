import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hono } from 'hono';
import { door } from './components/layout.ts';
import { notice } from './components/parts.ts';
import { type ConsoleContext, DOCUMENTATION_PATH, type Env } from './guard.ts';
import { html } from './html.ts';

/** What `npm run docs` makes: the same from a source and from the bundle in dist/app. */
const BUILT = fileURLToPath(new URL('../../dist/docs/', import.meta.url));

/**
 * A path below it: plain names, none of which begins with a dot. So nothing leads out of the
 * folder, and nothing is decoded.
 */
const NAMES = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  json: 'application/json',
};

/** No script at all: its pages are text, one stylesheet and pictures. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** A picture by itself: its own styles, and nothing else. */
const PICTURE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/** @param folder holds the built site; it may be made, or made anew, while the gate runs */
export function documentationPages(app: Hono<Env>, folder: string = BUILT): void {
  app.get(DOCUMENTATION_PATH, (c) => c.redirect(`${DOCUMENTATION_PATH}/`, 308));
  app.get(`${DOCUMENTATION_PATH}/*`, async (c, next) => {
    const name = c.req.path.slice(DOCUMENTATION_PATH.length + 1) || 'index.html';
    const content = NAMES.test(name) ? await contentOf(folder, name) : null;
    if (content !== null) return c.body(content, 200, headersOf(name));
    if ((await contentOf(folder, 'index.html')) === null) return notBuilt(c);
    return next();
  });
}

async function contentOf(folder: string, name: string): Promise<Buffer<ArrayBuffer> | null> {
  try {
    return await readFile(join(folder, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENAMETOOLONG')
      return null;
    throw error;
  }
}

function headersOf(name: string): Record<string, string> {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  return {
    'content-type': TYPES[extension] ?? 'text/plain; charset=utf-8',
    'content-security-policy': extension === 'svg' ? PICTURE_POLICY : PAGE_POLICY,
    // A rebuilt site is seen soon, and a page does not ask for its stylesheet again and again.
    'cache-control': 'private, max-age=60',
  };
}

function notBuilt(c: ConsoleContext): Response | Promise<Response> {
  const words = html`<h1>Documentation</h1>
${notice('info', html`<p>The documentation is not built here. In a clone of the project <code>npm run docs</code> writes it to <code>dist/docs</code>; the gate serves it from there, beside its <code>dist/app</code>.</p>`)}
<p><a href="/">To the console</a></p>`;
  return c.html(door({ title: 'Documentation', nonce: c.var.nonce }, words), 404);
}
