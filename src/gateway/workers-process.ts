/**
 * One worker: a gate of its own in a process of its own. Its supervisor started it and tells it
 * what to do; without one it ends. A signal sent to it alone drains it too, and the supervisor
 * starts another.
 */
import { withSecrets } from '../config/handover.ts';
import { parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { createLog } from '../telemetry/log.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type FromWorker, STATUS_INTERVAL_MS, type ToWorker } from './workers-protocol.ts';

let log = createLog();
let start: (ToWorker & { kind: 'start' }) | null = null;
let gateway: Gateway | null = null;
let status: NodeJS.Timeout | null = null;
let ending = false;

process.on('message', (message: ToWorker) => {
  onMessage(message).catch(fail);
});
// Without a supervisor nobody waits for a lame duck; at a terminal somebody waits for its end.
const endSoon = () => end(false);
process.on('disconnect', endSoon);
process.on('SIGTERM', () => end(true)).on('SIGINT', endSoon);
// Reloading is the supervisor's: a SIGHUP to the whole group reaches it as well.
process.on('SIGHUP', () => {});

async function onMessage(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'start':
      start = message;
      await open(message);
      return;
    case 'reload':
      return reload(message.id, withSecrets(message.config, message.secrets));
    case 'reload-refused':
      gateway?.reloadRefused(message.why);
      return;
    case 'metrics':
      return tellMetrics(message.id);
    case 'ticket-keys':
      gateway?.setTicketKeys(message.keys);
      return;
    case 'drain':
      end(message.lameDuck);
  }
}

/** In messages of a few hundred samples: one with all of them would hold up calls. */
async function tellMetrics(id: number): Promise<void> {
  if (gateway === null) return;
  for await (const piece of gateway.metrics.pieces()) say({ kind: 'metrics', id, piece });
  say({ kind: 'answer', id, value: null });
}

async function open({ text, ticketKeys }: ToWorker & { kind: 'start' }): Promise<void> {
  const config = ownOf(parseConfig(text, start!.file).config);
  log = createLog(config.log);
  const opened = await startGateway(config, { log, shared: { ticketKeys } });
  gateway = opened;
  if (ending) return close(false);
  const report = () => say({ kind: 'status', readiness: opened.readiness });
  report();
  status = setInterval(report, STATUS_INTERVAL_MS);
  say({ kind: 'opened', instance: opened.instance });
}

/** Health and metrics of all workers are the supervisor's, and so is the choice of the port. */
function ownOf(config: Config): Config {
  const { proxy } = config.listen;
  // People and pipelines that administer are few, and what the listener remembers of them (keys of
  // creations, streams) is in one memory.
  const admin = start!.admin ? config.listen.admin : null;
  const port = start!.port;
  const shared =
    proxy === null || port === null ? proxy : { ...proxy, address: { ...proxy.address, port } };
  return { ...config, listen: { ...config.listen, proxy: shared, admin, ops: null } };
}

async function reload(id: number, config: Config): Promise<void> {
  try {
    const own = ownOf(config);
    await gateway?.prepareReload(own);
    gateway?.reload(own);
    say({ kind: 'answer', id, value: null });
  } catch (error) {
    say({ kind: 'refused', id, why: error instanceof Error ? error.message : String(error) });
  }
}

function end(lameDuck: boolean): void {
  if (ending) return;
  ending = true;
  if (gateway !== null) close(lameDuck).catch(fail);
}

async function close(lameDuck: boolean): Promise<void> {
  await gateway?.close({ lameDuck });
  if (status !== null) clearInterval(status);
  log.close();
  process.off('disconnect', endSoon);
  if (process.connected) process.disconnect?.();
}

/** A worker that cannot begin, or end, says why and is gone: its supervisor knows what to do. */
function fail(error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  log.error('a worker failed', { error });
  const last: FromWorker = { kind: 'failed', why };
  if (process.send !== undefined && process.connected) process.send(last, () => process.exit(1));
  else process.exit(1);
}

function say(message: FromWorker): void {
  // The supervisor may be gone already; `disconnect` ends us then.
  if (process.connected) process.send?.(message, () => {});
}
