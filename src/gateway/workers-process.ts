/**
 * One worker: a gate of its own in a process of its own. Its supervisor started it and tells it
 * what to do; without one it ends. A signal sent to it alone drains it too, and the supervisor
 * starts another.
 */
import { withSecrets } from '../config/handover.ts';
import { parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { HostPort } from '../config/values.ts';
import { createLog } from '../telemetry/log.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type FromWorker, STATUS_INTERVAL_MS, type ToWorker } from './workers-protocol.ts';

type Start = ToWorker & { readonly kind: 'start' };

interface Worker {
  readonly gateway: Gateway;
  /** What of a configuration is this worker's. */
  ownOf(config: Config): Config;
}

/** Until it has been told what to open. */
let log = createLog();
/** Null: nothing was said yet. */
let worker: Promise<Worker> | null = null;
let ending = false;

process.on('message', (message: ToWorker) => {
  onMessage(message).catch(fail);
});
// Without a supervisor nobody waits for a lame duck; at a terminal somebody waits for its end.
const endSoon = () => end(false);
process.on('disconnect', endSoon);
process.on('SIGTERM', () => end(true)).on('SIGINT', endSoon);
// Reloading is the supervisor's: a signal to the whole group reaches it as well.
process.on('SIGHUP', () => {}).on('SIGUSR2', () => {});

async function onMessage(message: ToWorker): Promise<void> {
  if (message.kind === 'start') {
    worker = open(message);
    await worker;
    // Asked to end before there was anything to end.
    if (ending) await close(false);
  } else if (message.kind === 'drain') end(message.lameDuck);
  else if (worker !== null) await onOrder(await worker, message);
}

type Order = Exclude<ToWorker, { readonly kind: 'start' | 'drain' }>;

async function onOrder({ gateway, ownOf }: Worker, message: Order): Promise<void> {
  switch (message.kind) {
    case 'reload':
      return reload(gateway, message.id, ownOf(withSecrets(message.config, message.secrets)));
    case 'reload-refused':
      return gateway.reloadRefused(message.why);
    case 'metrics':
      return tellMetrics(gateway, message.id);
    case 'reopen-logs':
      return gateway.reopenLogs();
    case 'ticket-keys':
      return gateway.setTicketKeys(message.keys);
  }
}

/** In messages of a few hundred samples: one with all of them would hold up calls. */
async function tellMetrics({ metrics }: Gateway, id: number): Promise<void> {
  for await (const piece of metrics.pieces()) say({ kind: 'metrics', id, piece });
  say({ kind: 'response', id });
}

async function open(start: Start): Promise<Worker> {
  const ownOf = (config: Config) => ownPart(config, start);
  const config = ownOf(parseConfig(start.text, start.file).config);
  log = createLog(config.log);
  const { ticketKeys } = start;
  const gateway = await startGateway(config, { log, shared: { ticketKeys } });
  if (ending) await gateway.close({ lameDuck: false });
  else report(gateway);
  return { gateway, ownOf };
}

/** From now on the supervisor hears how it is; that it is open comes behind the first report. */
function report(gateway: Gateway): void {
  const tell = () => say({ kind: 'status', readiness: gateway.readiness });
  tell();
  // What keeps the process alive are the gate and the supervisor.
  setInterval(tell, STATUS_INTERVAL_MS).unref();
  say({ kind: 'opened', instance: gateway.instance });
}

/** Health and metrics of all workers are the supervisor's, and so is the choice of the port. */
function ownPart(config: Config, start: Start): Config {
  const { proxy, decision } = config.listen;
  // People and pipelines that administer are few, and what the listener remembers of them (keys of
  // creations, streams) is in one memory.
  const admin = start.admin ? config.listen.admin : null;
  const shared = {
    proxy: withPort(proxy, start.ports.proxy),
    decision: withPort(decision, start.ports.decision),
  };
  return { ...config, listen: { ...config.listen, ...shared, admin, ops: null } };
}

function withPort<Listen extends { readonly address: HostPort }>(
  listen: Listen | null,
  port: number | null,
): Listen | null {
  return listen === null || port === null
    ? listen
    : { ...listen, address: { ...listen.address, port } };
}

async function reload(gateway: Gateway, id: number, own: Config): Promise<void> {
  try {
    await gateway.prepareReload(own);
    gateway.reload(own);
    say({ kind: 'response', id });
  } catch (error) {
    say({ kind: 'refused', id, why: error instanceof Error ? error.message : String(error) });
  }
}

function end(lameDuck: boolean): void {
  if (ending) return;
  ending = true;
  close(lameDuck).catch(fail);
}

/** What is half open is opened first: only then it can be drained. */
async function close(lameDuck: boolean): Promise<void> {
  if (worker === null) return;
  const { gateway } = await worker;
  await gateway.close({ lameDuck });
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
