import { existsSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/**
 * The request corpora of other projects. They are read where they stand and are no part of this
 * repository: each row names its source and licence. `SALLYPORT_CORPUS` names their folder; without
 * it they are looked for beside the repository.
 */
const ROOT = dirname(dirname(import.meta.dirname));
const FOLDER = resolve(process.env.SALLYPORT_CORPUS ?? join(ROOT, '..', 'shared', 'corpus'));

/** What `ctx` of vitest offers. */
interface Skippable {
  skip(reason: string): never;
}

export type Http1Expected =
  | 'valid'
  | 'valid-or-reject'
  | 'source-valid-but-rfc-reject'
  | 'reject-or-single-canonical-reading'
  | 'reject-or-drop-trailer'
  | 'incomplete'
  | 'must-reject';

export interface Http1Row {
  readonly id: string;
  readonly repo: string;
  readonly raw_b64: string;
  readonly expected: Http1Expected;
  /** At most this many complete requests may reach the upstream, whatever is answered. */
  readonly max_upstream_complete_requests: number;
  /**
   * Where lines may be inserted: right after the first request line. Null where there is no such
   * place.
   */
  readonly insert_at: number | null;
}

export interface AuthorizationRow {
  readonly id: string;
  readonly category: string;
  readonly header_lines_b64: string;
  readonly expected: string;
  readonly source: string;
}

export interface PathRow {
  readonly id: string;
  readonly target_b64: string;
  readonly canonical: string | null;
  readonly expected: string;
  readonly source: string;
}

export interface IdentityRow {
  readonly id: string;
  readonly header_lines_b64: string;
  readonly expected: string;
}

interface Corpora {
  readonly 'http1.jsonl': Http1Row;
  readonly 'authorization.jsonl': AuthorizationRow;
  readonly 'paths.jsonl': PathRow;
  readonly 'identity-headers.jsonl': IdentityRow;
}

/** All rows of a corpus; skips the test, with the reason, where the corpora are not at hand. */
export function rowsOf<Name extends keyof Corpora>(
  ctx: Skippable,
  name: Name,
): readonly Corpora[Name][] {
  // Conversations are told apart by where they come from, and only Linux lets anyone come from all
  // of 127.0.0.0/8.
  if (platform() !== 'linux') ctx.skip('needs the many loopback addresses of Linux');
  const path = join(FOLDER, name);
  if (!existsSync(path))
    ctx.skip(`no ${name}: name the folder of the request corpora in SALLYPORT_CORPUS`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Corpora[Name]);
}
