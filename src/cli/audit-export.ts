import type { Command } from 'commander';
import { Option } from 'commander';
import type { AccountRef } from '../admin/accounts.ts';
import { timeInCursor } from '../admin/activity-page.ts';
import { ECS_VERSION } from '../audit/export/ecs.ts';
import { EXPORT_FORMATS, type ExportFormat, eventWriter } from '../audit/export/formats.ts';
import { OCSF_VERSION } from '../audit/export/ocsf.ts';
import { accountOf, type FilterOptions, filterOf, withFilters } from './activity.ts';
import { ExportFile } from './export-file.ts';
import { examples, leaf } from './options.ts';
import { Progress } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { storePlace } from './store-place.ts';
import { note, sayJson } from './terminal.ts';
import { version } from './version.ts';

interface ExportOptions extends FilterOptions {
  readonly account?: string;
  readonly accountId?: string;
  readonly format: ExportFormat;
  readonly gzip?: boolean;
}

export function addExportCommand(audit: Command): void {
  const out = withFilters(
    leaf(audit, 'export <file>', 'write events to a new file (mode 0600), newest first'),
  )
    .option('--account <name>', 'of this account alone, as far back as the record goes')
    .option('--account-id <id>', 'the same by id, also of an account that was deleted')
    .addOption(
      new Option(
        '--format <format>',
        `jsonl: each event as it is stored; csv; ocsf ${OCSF_VERSION}; ecs ${ECS_VERSION}`,
      )
        .choices(EXPORT_FORMATS)
        .default('jsonl'),
    )
    .option('--gzip', 'compress the file');
  out.action(exportEvents);
  examples(
    out,
    'sallyport audit export march.jsonl --since 2030-03-01 --until 2030-04-01 --config manage.yaml',
    'sallyport audit export changes.csv --phase change --format csv',
    'sallyport audit export week.ndjson.gz --since 7d --format ocsf --gzip',
  );
  out.addHelpText(
    'after',
    '\nUntil it is whole the file is called <file>.part. The same command again goes on where it was\nbroken off, after the last whole event.',
  );
}

const PAGE = 500;

/** A file that is there is whole: until then it has another name, and can be gone on with. */
async function exportEvents(file: string, options: ExportOptions): Promise<void> {
  const startedMs = Date.now();
  const { since, until, ...filter } = filterOf(options);
  const account = accountOf(options);
  const { format, gzip = false } = options;
  await withReach(options, false, async (reached) => {
    const store = storePlace(reached.place, reached.config);
    const wanted = JSON.stringify({ store, account, filter, format, gzip });
    const begin = { wanted, since: since ?? null, until: until ?? null, startedMs };
    const target = new ExportFile(file, gzip, begin);
    const goesOn = target.state.events;
    if (goesOn > 0) note(`Going on with ${file}.part after ${goesOn} events.`);
    try {
      await writePages(reached, account, filter, format, target);
      target.finish();
    } catch (error) {
      if (target.state.events > 0)
        note(`${file}.part holds ${target.state.events} events: the same command goes on with it.`);
      else target.abandon();
      throw error;
    } finally {
      target.close();
    }
    const { events } = target.state;
    if (options.json === true) sayJson({ file, events });
    else note(`Wrote ${events} events to ${file}.`);
  });
}

async function writePages(
  { control, actor, config }: Reached,
  account: AccountRef | null,
  filter: ReturnType<typeof filterOf>,
  format: ExportFormat,
  target: ExportFile,
): Promise<void> {
  const writer = eventWriter(format, version());
  const { startedMs, since, until } = target.state;
  const keptMs = (config?.audit.retention.days ?? 0) * 86_400_000;
  const firstMs = since === null ? startedMs - keptMs : Date.parse(since);
  const times = { ...(since === null ? {} : { since }), ...(until === null ? {} : { until }) };
  const progress = new Progress('events');
  const query = { account, ...filter, ...times, limit: PAGE, everything: true };
  try {
    while (!target.state.whole) {
      const { bytes, cursor } = target.state;
      const { items, next } = await control.administration.activityPage(actor, {
        ...query,
        cursor,
      });
      const text = (bytes === 0 ? writer.header : '') + items.map(writer.write).join('');
      target.add(text, items.length, next);
      const backTo = next === null ? null : timeInCursor(next);
      const words = `${target.state.events} events${backTo === null ? '' : `, back to ${backTo.slice(0, 19)}Z`}`;
      const share = (startedMs - Date.parse(backTo ?? '')) / (startedMs - firstMs);
      progress.show(Number.isFinite(share) && firstMs < startedMs ? share : null, words);
    }
  } finally {
    progress.end();
  }
}
