import type { Command } from 'commander';
import type { RoutesFrom } from '../admin/known-routes.ts';
import { mustBeWhole } from '../admin/lists-csv.ts';
import type { WhoCan } from '../admin/who-can.ts';
import { noteRoutes, withoutQuery } from './explain.ts';
import { type CommonOptions, examples, given, leaf, several, withCsv } from './options.ts';
import { withReach } from './reach.ts';
import { note, sayCsv, sayJson, table } from './terminal.ts';

interface WhoCanOptions extends CommonOptions {
  readonly host?: string;
  readonly variable?: readonly string[];
  readonly from?: string;
  readonly instance?: string;
  readonly limit: string;
}

export function addWhoCanCommand(program: Command): void {
  const who = withCsv(
    leaf(program, 'who-can <method> <path>', 'which accounts would this call be let in of?'),
  )
    .option('--host <host>', 'the host that is called, where routes tell hosts apart')
    .option('--routes <file>', 'the file whose routes count, where --config is another one')
    .option(
      '--variable <name=value>',
      'what stands in the body, where the route is decided by it (repeat, or use commas)',
      several,
    )
    .option('--from <address>', 'the address of the client')
    .option('--instance <name>', 'by the routes that this instance has published')
    .option('--limit <n>', 'the most accounts to name', '100')
    .action(async (method: string, path: string, options: WhoCanOptions, command: Command) => {
      const limit = Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1)
        command.error('error: --limit must be a whole number, 1 or more');
      await withReach(options, false, async ({ control, actor }) => {
        const found: WhoCan[] = [];
        let examined = 0;
        let routes: RoutesFrom | undefined;
        let cursor: string | null = null;
        do {
          const page = await control.administration.whoCan(actor, {
            method: method.toUpperCase(),
            path: withoutQuery(path),
            ...given('host', options.host),
            ...given('variables', options.variable?.join(',')),
            ...given('from', options.from),
            ...given('instance', options.instance),
            ...(cursor === null ? {} : { cursor }),
          });
          found.push(...page.items);
          examined += page.examined;
          cursor = page.next;
          ({ routes } = page);
          if (options.csv === true) mustBeWhole(page);
          for (const id of page.damaged) note(`the record of account ${id} cannot be read`);
        } while (cursor !== null && found.length < limit);
        const items = found.slice(0, limit);
        const more = cursor !== null || found.length > limit;
        if (options.csv === true) return sayCsv('whoCan', items);
        if (options.json === true) return sayJson({ items, examined, more, routes });
        show(items, examined, more);
        noteRoutes(routes);
      });
    });
  examples(
    who,
    'sallyport who-can POST /environments/Production/deployments --config manage.yaml --routes sallyport.yaml',
    'sallyport who-can --variable app=CRM POST /deployments --server https://gate.example:9443',
  );
}

/** What the call must bring besides the token. */
function onlyWords({
  allowedNetworks,
  boundTo,
}: Pick<WhoCan, 'allowedNetworks' | 'boundTo'>): string {
  const from = allowedNetworks.length === 0 ? [] : [`from ${allowedNetworks.join(' ')}`];
  const beside = boundTo === null ? [] : ['with its certificate'];
  return [...from, ...beside].join(', ') || '-';
}

/** An earlier version on the other side does not say by which team. */
function byWords(rule: WhoCan['rule'], team: string | null | undefined): string {
  if (rule === null) return '-';
  return rule === 'team' && team != null ? `team ${team}` : rule;
}

function show(items: readonly WhoCan[], examined: number, more: boolean): void {
  if (items.length === 0) {
    note(`none of ${examined} accounts would be let in`);
    return;
  }
  table(
    ['ACCOUNT', 'PERMISSION', 'APPLICATION', 'ROLE', 'BY', 'ONLY'],
    items.map(({ account, permission, application, applications, role, rule, team, ...only }) => [
      account,
      permission ?? '-',
      application ?? (applications.join(' ') || '-'),
      role ?? '-',
      byWords(rule, team),
      onlyWords(only),
    ]),
  );
  if (more) note(`there may be more: ${examined} accounts were looked at (--limit)`);
}
