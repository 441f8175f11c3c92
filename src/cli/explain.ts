import type { Command } from 'commander';
import type { RoutesFrom } from '../admin/known-routes.ts';
import { watched, withWatch } from './looking.ts';
import { type CommonOptions, examples, given, leaf, several } from './options.ts';
import { withReach } from './reach.ts';
import { details, note, say, sayJson, styled, visible } from './terminal.ts';

interface ExplainOptions extends CommonOptions {
  readonly account: string;
  readonly host?: string;
  readonly variable?: readonly string[];
  readonly from?: string;
  readonly instance?: string;
}

export function addExplainCommand(program: Command): void {
  const explain = withWatch(
    leaf(program, 'explain <method> <path>', 'would this call be let in, and by which rule?'),
  )
    .requiredOption('--account <name>', 'the account that calls')
    .option('--host <host>', 'the host that is called, where routes tell hosts apart')
    .option(
      '--routes <file>',
      'the gate’s configuration file, whose routes decide, where --config names another one',
    )
    .option(
      '--variable <name=value>',
      'a value of the body, where the route is decided by the body (repeat, or use commas)',
      several,
    )
    .option('--from <address>', 'the address of the client')
    .option('--instance <name>', 'by the routes that this instance has published')
    .action(
      watched(async (method: string, path: string, options: ExplainOptions) => {
        await withReach(options, false, async ({ control, actor }) => {
          const question = {
            account: options.account,
            method: method.toUpperCase(),
            path: withoutQuery(path),
            ...given('host', options.host),
            ...given('variables', options.variable?.join(',')),
            ...given('from', options.from),
            ...given('instance', options.instance),
          };
          const answer = await control.administration.explain(actor, question);
          if (options.json === true) return sayJson(answer);
          say(
            answer.allowed
              ? styled('green', 'let in')
              : `${styled('red', 'refused')}: ${answer.reason}`,
          );
          for (const line of answer.because) say(`  ${visible(line)}`);
          details([
            ['Route', answer.route ?? '-'],
            ['Permission', answer.permission ?? '-'],
            ['Application', answer.application ?? (answer.applications.join(', ') || '-')],
            [
              'Role',
              answer.role === null
                ? '-'
                : `${answer.role}${answer.rule === null ? '' : ` (by ${answer.rule})`}`,
            ],
          ]);
          noteRoutes(answer.routes);
        });
      }),
    );
  examples(
    explain,
    'sallyport explain --account ci-pipeline POST /deployments --config manage.yaml --routes sallyport.yaml',
    'sallyport explain --account ci-pipeline --variable app=CRM POST /deployments',
    'sallyport explain --account ci-pipeline POST /lifetimeapi/rest/v2/applications/CRM/deployments',
  );
}

/**
 * Whose routes an answer goes by, where they are those that a gate has published. An earlier
 * version on the other side does not say.
 */
export function noteRoutes(routes: RoutesFrom | undefined): void {
  if (routes === undefined || routes.instance === null) return;
  const { instance, since, differing } = routes;
  const others =
    differing === 0
      ? ''
      : `; ${differing} other ${differing === 1 ? 'instance has' : 'instances have'} other routes (--instance)`;
  note(`by the routes of ${instance}, in force there since ${since}${others}`);
}

/** The query plays no part in any decision; people paste it all the same. */
export function withoutQuery(path: string): string {
  return path.split('?', 1)[0] ?? path;
}
