import { request } from 'node:http';
import type { Command } from 'commander';
import { AdminError } from '../admin/error.ts';
import { Refused, UsageError } from './exit.ts';
import { loadChecked } from './load.ts';
import { examples } from './options.ts';
import { say } from './terminal.ts';

const TIMEOUT_MS = 2_000;
const BODY_BYTES = 4_096;

export function addHealthcheckCommand(program: Command): void {
  const summary = 'ask a running gate on this machine whether it is ready (for HEALTHCHECK)';
  const healthcheck = program
    .command('healthcheck')
    .summary(summary)
    .description(summary)
    .requiredOption('--config <file>', 'the configuration file of the running gate')
    .action(async (options: { readonly config: string }) => {
      const address = loadChecked(options.config).config.listen.ops?.address;
      if (address === undefined)
        throw new UsageError(
          `${options.config} opens no ops listener (listen.ops), so it cannot be asked`,
        );
      const { status, body } = await ask(address.host, address.port);
      if (status !== 200) throw new Refused(`not ready: ${status} ${body}`);
      say('ready');
    });
  examples(healthcheck, 'sallyport healthcheck --config sallyport.yaml');
}

function ask(host: string, port: number): Promise<{ status: number; body: string }> {
  // A listener on all addresses is asked on the nearest one.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return new Promise((resolve, reject) => {
    const unavailable = (why: string) =>
      reject(new AdminError('unavailable', `no gate answers on ${reachable}:${port} (${why})`));
    const asked = request(
      { host: reachable, port, path: '/readyz', agent: false, timeout: TIMEOUT_MS },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body = (body + text).slice(0, BODY_BYTES);
        });
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: body.trim() }),
        );
        response.once('error', (error) => unavailable(error.message));
      },
    );
    asked.once('timeout', () => asked.destroy(new Error(`no response within ${TIMEOUT_MS} ms`)));
    asked.once('error', (error: NodeJS.ErrnoException) => unavailable(error.code ?? error.message));
    asked.end();
  });
}
