import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { Control } from '../admin/control.ts';
import { AdminError } from '../admin/error.ts';
import type { RevivedRecord } from '../admin/find-revived.ts';
import { IMPORT_BATCH } from '../admin/import-slices.ts';
import { wordsOf } from '../admin/revival.ts';
import type { TransferPage, TransferredRecord } from '../admin/transferred.ts';
import { unapproved } from './account-act.ts';
import { UsageError } from './exit.ts';
import { ExportFile } from './export-file.ts';
import { examples, leaf } from './options.ts';
import { type ProgressBar, progressBar } from './progress.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { storePlace } from './store-place.ts';
import { confirm, note, sayJson, visible } from './terminal.ts';
import { version } from './version.ts';

interface TransferOptions extends StoreOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly reviveRevoked?: boolean;
}

/** First line of an exported file. A reader that does not know the number refuses the file. */
const FORMAT = { format: 'sallyport-registry', version: 1 } as const;
/** Of texts; far below what a request to a running owner may hold, however they are written. */
const BATCH_BYTES = 1024 * 1024;
/** Records named one by one of those that would come back to life. */
const NAMED = 50;
/** How often a long import says how far it is. */
const PROGRESS_MS = 2_000;
/** Some 100,000 accounts with room to spare. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/** `registry export` and `registry import`. */
export function addTransferCommands(registry: Command): void {
  const out = leaf(
    registry,
    'export <file>',
    'write all accounts, roles and teams to a new file (mode 0600)',
  ).action(exportTo);
  examples(out, 'sallyport registry export registry.ndjson --config manage.yaml');
  out.addHelpText(
    'after',
    '\nUntil it is whole the file is called <file>.part. The same command again goes on where it was\nbroken off, after the last whole record.',
  );
  const into = unapproved(
    leaf(registry, 'import <file>', 'bring the records of an exported file into a store'),
  )
    .option('--yes', 'do not ask')
    .option('--revive-revoked', 'bring back to life what was revoked since the file was written')
    .action(importFrom);
  into.description(
    'bring the records of an exported file into a store.\n' +
      'An import overwrites nothing. Before it writes, it names what it would bring back to ' +
      'life: accounts that were deleted\nor deactivated, tokens that were revoked, and rights ' +
      'that were changed since the file was written,\nof accounts, by roles or by teams, as far ' +
      'as the store, its instances or the data folder know.\nWithout --revive-revoked nothing ' +
      'at all is imported then.',
  );
  examples(into, 'sallyport registry import registry.ndjson --config redis.yaml --yes');
}

async function exportTo(file: string, options: TransferOptions): Promise<void> {
  const startedMs = Date.now();
  await withReach(options, false, async ({ control, actor, config, place }) => {
    // Records of two registries would be taken for one.
    const wanted = JSON.stringify({ registry: storePlace(place, config) });
    const begin = { wanted, since: null, until: null, startedMs };
    const target = new ExportFile(file, false, begin);
    const goesOn = target.state.events;
    if (goesOn > 0) note(`Going on with ${file}.part after ${goesOn} records.`);
    const progress = progressBar('records');
    try {
      const { total } = await control.administration.listAccounts(actor, { limit: 1 });
      while (!target.state.whole) {
        const { cursor, bytes, events } = target.state;
        const page = await control.administration.exportRecords(actor, { cursor });
        target.add(textOf(page, bytes === 0, events), page.records.length, page.next);
        progress.at(target.state.events, Math.max(total, target.state.events));
      }
      target.finish();
    } catch (error) {
      progress.end();
      if (target.state.events > 0)
        note(
          `${file}.part holds ${target.state.events} records: the same command goes on with it.`,
        );
      else target.abandon();
      throw error;
    } finally {
      target.close();
    }
    progress.end();
    const records = target.state.events;
    if (options.json === true) sayJson({ file, records });
    else
      note(
        `Wrote ${records} records to ${file}. It holds digests of tokens and passwords: keep it like the store.`,
      );
  });
}

/** The last line says that there is no more: a file that was cut short has none. */
function textOf({ records, next }: TransferPage, isFirst: boolean, before: number): string {
  const lines: object[] = [
    ...(isFirst ? [{ ...FORMAT, by: version() }] : []),
    ...records,
    ...(next === null ? [{ end: true, records: before + records.length }] : []),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

async function importFrom(file: string, options: TransferOptions): Promise<void> {
  const records = readFile(file);
  const revive = options.reviveRevoked === true;
  await withReach(options, true, async ({ control, actor }) => {
    const looked = progressBar('records looked at');
    const revived = await revivedIn(records, looked, (batch) =>
      control.administration.findRevived(actor, { records: batch }),
    ).finally(() => looked.end());
    nameRevived(revived);
    if (revived.length > 0 && !revive)
      throw new AdminError(
        'invalid',
        `${revived.length} of ${records.length} records would bring back to life what was ` +
          'revoked: nothing was imported. Take them out of the file, or say that it is meant ' +
          'with --revive-revoked',
      );
    const living = revived.length > 0 ? `, and revive ${revived.length} of them` : '';
    await confirm(`Bring ${records.length} records into the registry${living}?`, options.yes);
    const progress = new ImportProgress(records.length);
    for (let begin = 0; begin < records.length; ) {
      const batch = batchFrom(records, begin);
      const { done, changed, refusal } = await control.administration
        .importRecords(actor, { records: batch, ...(revive ? { reviveRevoked: true } : {}) })
        .catch((error: unknown) => {
          throw error instanceof AdminError ? stopped(progress, error, null) : error;
        });
      progress.add(done, changed);
      begin += done;
      if (refusal !== null)
        throw stopped(progress, new AdminError(refusal.code, refusal.message), begin);
    }
    progress.end();
    if (options.json === true)
      sayJson({ records: records.length, imported: progress.changed, revived: revived.length });
    else
      note(
        `Imported ${progress.changed} records; ${records.length - progress.changed} were there already.`,
      );
  });
}

/** With the index in the file's list. All is asked before anything is written. */
async function revivedIn(
  records: readonly TransferredRecord[],
  progress: ProgressBar,
  ask: (
    batch: readonly TransferredRecord[],
  ) => ReturnType<Control['administration']['findRevived']>,
): Promise<readonly RevivedRecord[]> {
  const all: RevivedRecord[] = [];
  for (let begin = 0; begin < records.length; ) {
    const batch = batchFrom(records, begin);
    for (const one of (await ask(batch)).revived) all.push({ ...one, index: begin + one.index });
    begin += batch.length;
    progress.at(begin, records.length);
  }
  return all;
}

function nameRevived(revived: readonly RevivedRecord[]): void {
  // The first line of the file is its head.
  for (const { index, kind, name, what } of revived.slice(0, NAMED))
    note(`line ${index + 2}: ${kind} ${visible(name)}: ${wordsOf(what)}`);
  if (revived.length > NAMED) note(`and ${revived.length - NAMED} more`);
}

/** As many records as one step takes, and no more than one request to a running owner may hold. */
function batchFrom(records: readonly TransferredRecord[], begin: number) {
  let end = begin;
  for (let bytes = 0; end < records.length && end - begin < IMPORT_BATCH; end += 1) {
    bytes += records[end]?.text?.length ?? 0;
    if (bytes > BATCH_BYTES && end > begin) break;
  }
  return records.slice(begin, end);
}

/** What is seen of a long import, and how far it came when it stops. */
class ImportProgress {
  readonly #total: number;
  readonly #bar = progressBar('records');
  readonly #beganMs = performance.now();
  #saidMs = performance.now();
  done = 0;
  changed = 0;

  constructor(total: number) {
    this.#total = total;
  }

  add(done: number, changed: number): void {
    this.done += done;
    this.changed += changed;
    this.#bar.at(this.done, this.#total);
    const nowMs = performance.now();
    // A bar on a terminal; a line now and then where nobody sees one.
    const isQuiet = process.stderr.isTTY === true || nowMs - this.#saidMs < PROGRESS_MS;
    if (isQuiet || this.done === this.#total) return;
    this.#saidMs = nowMs;
    const perSecond = Math.round((this.done * 1000) / (nowMs - this.#beganMs));
    note(`${this.reached} (${perSecond} a second)`);
  }

  end(): void {
    this.#bar.end();
  }

  get reached(): string {
    return `${this.done} of ${this.#total} records are in the registry`;
  }
}

/** `at`: the index of the record that stands in the way; null: it was not about a record. */
function stopped(progress: ImportProgress, error: AdminError, at: number | null): AdminError {
  progress.end();
  // The first line of the file is its head.
  const where = at === null ? '' : `line ${at + 2}: `;
  return new AdminError(
    error.code,
    `${where}${error.message}; ${progress.reached}, and the import goes on there when it is run again`,
    { cause: error },
  );
}

/** Everything is read and checked before anything is written. */
function readFile(file: string): readonly TransferredRecord[] {
  const lines = contentOf(file)
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => parsed(line, file, index + 1));
  const [head, ...rest] = lines;
  const end = rest.pop();
  if (head?.format !== FORMAT.format || head.version !== FORMAT.version)
    throw new UsageError(`${file} is not the export of a registry that this version can read`);
  if (end?.end !== true || end.records !== rest.length)
    throw new UsageError(
      `${file} was cut short, so nothing was imported: export the registry again`,
    );
  return rest as unknown as readonly TransferredRecord[];
}

function contentOf(file: string): string {
  try {
    if (statSync(file).size > MAX_FILE_BYTES)
      throw new UsageError(`${file} is larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parsed(line: string, file: string, number: number): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw new UsageError(`${file}:${number}: not a line of JSON`);
  }
}
