import type { Command } from 'commander';
import { CSV_LISTS } from '../admin/lists-csv.ts';
import { asList } from './lists.ts';
import { examples, leaf } from './options.ts';

export function addInstancesCommand(program: Command): void {
  const summary = 'the running gates: their leases, and how far each has come';
  const instances = asList(
    leaf(program, 'instances', summary),
    {
      key: 'items',
      columns: CSV_LISTS.instances,
      name: ({ instance }) => instance,
      headings: ['INSTANCE', 'VERSION', 'LEASE', 'ENDS IN', 'APPLIED', 'BEHIND', 'AUDIT KEY'],
      row: (one) => [
        one.instance,
        one.version,
        seconds(one.leaseMs),
        seconds(one.leaseRemainingMs),
        one.appliedSeq === null ? '-' : String(one.appliedSeq),
        one.lag === null ? 'unknown' : String(one.lag),
        one.auditKey ?? '-',
      ],
      none: 'no gate is running on this registry',
    },
    ({ control, actor }) => control.administration.listInstances(actor, {}),
  );
  examples(
    instances,
    'sallyport instances --config sallyport.yaml',
    'sallyport instances --watch 5 --server https://gate.example:9443',
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
