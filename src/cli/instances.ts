import type { Command } from 'commander';
import { type CommonOptions, examples, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { note, sayJson, table } from './terminal.ts';

export function addInstancesCommand(program: Command): void {
  const instances = leaf(
    program,
    'instances',
    'the running gates: their leases, and how far each has come',
  ).action(async (options: CommonOptions) => {
    await withReach(options, false, async ({ control, actor }) => {
      const answer = await control.instances(actor, {});
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
  });
  examples(instances, 'sallyport instances --config sallyport.yaml');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
