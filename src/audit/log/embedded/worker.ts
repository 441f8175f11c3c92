import { parentPort, workerData } from 'node:worker_threads';
import { eachEvent } from '../../outbox/lines.ts';
import { AuditFile } from './file.ts';
import type { WorkerAnswer, WorkerRequest, WorkerSettings } from './protocol.ts';

/**
 * Entry of the audit worker thread: one request after the other, in the order in which they came.
 */
const port = parentPort;
if (port === null) throw new Error('the audit worker is started by the audit log, not by hand');

const file = new AuditFile(workerData as WorkerSettings);

function perform(id: number, request: WorkerRequest): WorkerAnswer {
  switch (request.op) {
    case 'append':
      append(request);
      return { id, ok: true, due: due() };
    case 'read':
      return { id, ok: true, read: read(request) };
    case 'search':
      return { id, ok: true, search: search(request) };
    case 'silent':
      return { id, ok: true, silent: file.permits.silent() };
    case 'left':
      return { id, ok: true, left: file.permits.left(request.instance) };
    case 'close-permits':
      return { id, ok: true, closed: closePermits(request) };
    case 'unvouched':
      return { id, ok: true, unvouched: file.permits.unvouched(request.voucher) };
    case 'take-over':
      file.permits.owe(request.written, request.voucher);
      return { id, ok: true };
    case 'vouched':
      file.permits.vouched(request.digest);
      return { id, ok: true };
    case 'forget':
      file.permits.forget(request.instance);
      return { id, ok: true };
    case 'keep-head':
      file.heads.keep(request.instance, request.line);
      return { id, ok: true };
    case 'keep-key':
      file.heads.keepKey(request.key);
      return { id, ok: true };
    case 'forget-heads':
      file.heads.forget(request.beforeMs);
      return { id, ok: true };
    case 'scan':
      return { id, ok: true, read: file.scan(request.after, request.limit) };
    case 'notices':
      return { id, ok: true, read: file.notices(request.after, request.limit) };
    case 'size':
      return { id, ok: true, size: file.size() };
    case 'oldest':
      return { id, ok: true, oldestMs: file.oldestMs() };
    case 'signed':
      return { id, ok: true, signed: signed() };
    case 'cut':
      return { id, ok: true, gone: file.cut(request.beforeMs, request.anchor), due: due() };
    case 'close':
      file.close();
      return { id, ok: true };
  }
}

function signed() {
  const { heads } = file;
  return { heads: heads.all(), keys: heads.keys(), anchors: heads.anchors() };
}

/** Failing to look for old events is no reason to refuse new ones. */
function due(): number | null {
  try {
    return file.due(Date.now());
  } catch {
    // The disk is full or failing: the next append says so to those who must know, and old events
    // are looked for after it.
    return null;
  }
}

function read(request: Extract<WorkerRequest, { op: 'read' }>) {
  return file.read(request.account, request.before, request.limit, request.sinceMs);
}

function search({ text, sinceMs, before }: Extract<WorkerRequest, { op: 'search' }>) {
  return file.searching.search(text, sinceMs, before);
}

function append(request: Extract<WorkerRequest, { op: 'append' }>): void {
  const { instance, firstSeq, notes } = request;
  const { events, accounts } = unpacked(request);
  file.append(instance, firstSeq, events, accounts, Date.now(), notes);
}

function closePermits(request: Extract<WorkerRequest, { op: 'close-permits' }>): boolean {
  const { events, accounts } = unpacked(request);
  const { instance, left, written } = request;
  return file.closePermits(instance, left, written, events, accounts, Date.now());
}

function unpacked(batch: Extract<WorkerRequest, { lines: Uint8Array }>) {
  const events: string[] = [];
  const accounts: (string | null)[] = [];
  const lines = Buffer.from(batch.lines.buffer);
  const marks = Buffer.from(batch.marks.buffer);
  eachEvent({ ...batch, lines, marks }, (event, account) => {
    events.push(event.toString('utf8', 0, event.length - 1));
    accounts.push(account);
  });
  return { events, accounts };
}

function answer(id: number, request: WorkerRequest): WorkerAnswer {
  try {
    return perform(id, request);
  } catch (fault) {
    return { id, ok: false, message: fault instanceof Error ? fault.message : String(fault) };
  }
}

port.on('message', ({ id, request }: { id: number; request: WorkerRequest }) => {
  port.postMessage(answer(id, request));
  if (request.op === 'close') port.close();
});
port.postMessage({ id: 0, ok: true } satisfies WorkerAnswer);
