import type { Command } from 'commander';
import { accountOf, type ReadOptions, readEvents, withReading } from './activity.ts';
import { addExportCommand } from './audit-export.ts';
import { addReindexCommand } from './audit-reindex.ts';
import { addShowCommand } from './audit-show.ts';
import { addAuditVerify } from './audit-verify.ts';
import { paged } from './looking.ts';
import { examples, group, leaf } from './options.ts';

interface TailOptions extends ReadOptions {
  readonly account?: string;
}

export function addAuditCommands(program: Command): void {
  const audit = group(program, 'audit', 'the record of all calls and changes');
  const tail = withReading(leaf(audit, 'tail', 'the newest events of everybody'))
    .option('--account <name>', 'of this account alone')
    .action(paged((options: TailOptions) => readEvents(accountOf(options), options)));
  examples(
    tail,
    'sallyport audit tail --follow',
    'sallyport audit tail --account ci-pipeline --route deploy --decision refusal --follow',
    'sallyport audit tail --phase change --since 7d --limit 1000',
  );
  addShowCommand(audit);
  addExportCommand(audit);
  addAuditVerify(audit);
  addReindexCommand(audit);
}
