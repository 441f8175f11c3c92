import type { Command } from 'commander';
import type { InstancesView } from '../admin/instances.ts';
import { watched, withWatch } from './looking.ts';
import {
  type CommonOptions,
  examples,
  leaf,
  limited,
  withCsv,
  withLimit,
  withNames,
} from './options.ts';
import { withReach } from './reach.ts';
import { note, sayCsv, sayJson, sayWide, table } from './terminal.ts';

export function addInstancesCommand(program: Command): void {
  const summary = 'the running gates: their leases, and how far each has come';
  const instances = withWatch(withLimit(withCsv(leaf(program, 'instances', summary)))).action(
    watched(async (options: CommonOptions) => {
      await withReach(options, false, async ({ control, actor }) => {
        const found = await control.administration.listInstances(actor, {});
        const answer = { ...found, items: limited(found.items, options.limit) };
        if (options.csv === true) return sayCsv('instances', answer.items);
        if (options.json === true) return sayJson(answer);
        if (answer.items.length === 0) return note('no gate is running on this registry');
        if (options.output?.kind === 'wide') return sayWide('instances', answer.items);
        table(
          ['INSTANCE', 'VERSION', 'LEASE', 'ENDS IN', 'APPLIED', 'BEHIND', 'AUDIT KEY'],
          answer.items.map((one) => [
            one.instance,
            one.version,
            seconds(one.leaseMs),
            seconds(one.leaseRemainingMs),
            one.appliedSeq === null ? '-' : String(one.appliedSeq),
            one.lag === null ? 'unknown' : String(one.lag),
            one.auditKey ?? '-',
          ]),
        );
      });
    }),
  );
  withNames(instances, ({ items }: InstancesView) => items.map(({ instance }) => instance));
  examples(
    instances,
    'sallyport instances --config sallyport.yaml',
    'sallyport instances --watch 5 --server https://gate.example:9443',
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
