import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * A file that pages refer to. Its name holds a hash of its content, so browsers may keep it for
 * ever and never show an old one.
 */
export interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

function load(name: string, extension: string, type: string): Asset {
  const body = readFileSync(new URL(`./assets/${name}.${extension}`, import.meta.url), 'utf8');
  return {
    path: `/assets/${name}.${hash('sha256', body, 'hex').slice(0, 16)}.${extension}`,
    type,
    body,
  };
}

export const STYLE = load('console', 'css', 'text/css; charset=utf-8');
export const SCRIPT = load('console', 'js', 'text/javascript; charset=utf-8');
export const CHARTS = load('chart', 'js', 'text/javascript; charset=utf-8');
export const LOG_SCRIPT = load('log', 'js', 'text/javascript; charset=utf-8');
export const VIEW_SCRIPT = load('view', 'js', 'text/javascript; charset=utf-8');
export const MARK = load('mark', 'svg', 'image/svg+xml');

export const ASSETS: ReadonlyMap<string, Asset> = new Map(
  [STYLE, SCRIPT, CHARTS, LOG_SCRIPT, VIEW_SCRIPT, MARK].map((asset) => [asset.path, asset]),
);
