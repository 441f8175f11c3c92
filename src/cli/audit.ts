import { closeSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  eventPages,
  type FilterOptions,
  type ReadOptions,
  readEvents,
  withFilters,
  withReading,
} from './activity.ts';
import { addAuditVerify } from './audit-verify.ts';
import { examples, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { createPrivateFile } from './secret-file.ts';
import { note, sayJson } from './terminal.ts';

export function addAuditCommands(program: Command): void {
  const audit = group(program, 'audit', 'the record of all calls and changes');
  const tail = withReading(leaf(audit, 'tail', 'the newest events of everybody')).action(
    (options: ReadOptions) => readEvents(null, options),
  );
  examples(
    tail,
    'sallyport audit tail --follow',
    'sallyport audit tail --phase change --since 7d --limit 1000',
  );
  const out = withFilters(
    leaf(
      audit,
      'export <file>',
      'write events to a new file (mode 0600), one line of JSON each, newest first',
    ),
  );
  out.action(exportEvents);
  examples(
    out,
    'sallyport audit export march.ndjson --since 2030-03-01 --until 2030-04-01 --config manage.yaml',
    'sallyport audit export changes.ndjson --phase change',
  );
  addAuditVerify(audit);
}

/** A file that is there is whole: when the log cannot be read to its end, none is left. */
async function exportEvents(file: string, options: FilterOptions): Promise<void> {
  await withReach(options, false, async (reached) => {
    const target = createPrivateFile(file);
    let events = 0;
    try {
      for await (const items of eventPages(reached, null, options)) {
        if (items.length > 0) writeFileSync(target, `${items.join('\n')}\n`);
        events += items.length;
      }
    } catch (error) {
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(target);
    }
    if (options.json === true) sayJson({ file, events });
    else note(`Wrote ${events} events to ${file}.`);
  });
}
