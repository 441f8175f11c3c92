import type { Command } from 'commander';
import { type CommonOptions, examples, leaf, withCsv } from './options.ts';
import { withReach } from './reach.ts';
import { note, sayCsv, sayJson, table } from './terminal.ts';

export function addInstancesCommand(program: Command): void {
  const summary = 'the running gates: their leases, and how far each has come';
  const instances = withCsv(leaf(program, 'instances', summary)).action(
    async (options: CommonOptions) => {
      await withReach(options, false, async ({ control, actor }) => {
        const answer = await control.instances(actor, {});
        if (options.csv === true) return sayCsv('instances', answer.items);
        if (options.json === true) return sayJson(answer);
        if (answer.items.length === 0) return note('no gate is running on this registry');
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
    },
  );
  examples(instances, 'sallyport instances --config sallyport.yaml');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
