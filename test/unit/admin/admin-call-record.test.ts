import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  AdminRecorder,
  attachRecord,
  type Known,
  NOBODY,
} from '../../../src/admin/api/recorder.ts';
import type { ApiParts } from '../../../src/admin/api/requests.ts';
import { createAdminApp } from '../../../src/admin/server.ts';
import type { EventBatch } from '../../../src/audit/batch.ts';
import { type BatchingOutbox, createOutbox } from '../../../src/audit/outbox/outbox.ts';
import { openIn } from '../../../src/audit/permits/notes.ts';
import type { AuditLog } from '../../../src/audit/port.ts';
import { systemClock } from '../../../src/clock.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { entriesOf } from '../../support/audit-batch.ts';
import type { AuditEvent } from '../../support/gateway.ts';

/** Takes what comes, and keeps notes as the stores do. */
class Kept implements AuditLog {
  readonly events: AuditEvent[] = [];
  notes = '';
  async append(batch: EventBatch): Promise<void> {
    this.events.push(...entriesOf(batch).map(({ event }) => JSON.parse(event) as AuditEvent));
    const { anew = false, text = '' } = batch.notes ?? {};
    this.notes = anew ? text : this.notes + text;
  }
  async close(): Promise<void> {}
}

const actor = { id: 'ada1', name: 'ada', kind: 'service', via: 'admin-api' } as const;
const ADA: Known = { ...NOBODY, actor };

let log: Kept;
let outbox: BatchingOutbox;
let recorder: AdminRecorder;
let lines: string[] = [];
let id = 0;

function start(limits = {}): void {
  log = new Kept();
  lines = [];
  const health = () => {};
  const observer = { accepted() {}, unrecorded() {}, lost() {}, resent() {}, fault() {}, health };
  outbox = createOutbox({ log, instance: 'unit', clock: systemClock, observer, limits });
  recorder = new AdminRecorder({
    recordedAddress: (address) => address,
    accessLog: {
      write: ({ id, door, method, path }, { status, reason, account }) =>
        void lines.push([id, door, method, path, status, reason, account].join(' ')),
      reopen() {},
      close: async () => {},
    },
    outbox,
    floods: { folds: () => false },
    honey: { presented() {} },
    instance: 'unit',
    clock: systemClock,
    guarantee: 'acknowledged',
    nextRequestId: () => `request-${++id}`,
  });
}
beforeEach(() => start());
afterEach(() => outbox.close(1));

const begin = () =>
  recorder.begin({
    method: 'POST',
    path: '/api/v1/roles?x=1',
    clientAddress: '192.0.2.1',
    userAgent: null,
  });
const written = () => expect.poll(() => outbox.pending).toBe(0);

it('notes an administrative request as open until its outcome is on record', async () => {
  const record = begin();
  expect(await record.decided('permitted', ADA, null)).toBe(true);
  expect(openIn(log.notes)).toEqual([
    {
      id: record.id,
      type: 'admin-call',
      account: { id: 'ada1', name: 'ada', kind: 'service' },
      actor,
      method: 'POST',
      path: '/api/v1/roles',
    },
  ]);
  record.ended(201, 'permitted');
  await written();
  expect(openIn(log.notes)).toEqual([]);
  expect(outbox.permits.size).toBe(0);
});

it('notes nothing of what is refused', async () => {
  await begin().decided('permission-denied', ADA, 403);
  expect(outbox.permits.size).toBe(0);
});

it('records no outcome where there was no room for the decision', async () => {
  start({ maxEvents: 0 });
  const record = begin();
  expect(await record.decided('permitted', ADA, null)).toBe(false);
  record.ended(503, 'registry-unavailable');
  await written();
  expect(log.events).toEqual([]);
  expect(outbox.permits.size).toBe(0);
});

it('puts a fault inside on record, before a verdict and after it', async () => {
  const parts = {
    recorder,
    realm: () => 'test',
    version: '1',
    found: null,
    used() {},
    log: createLog({ format: 'json', level: 'error', write: () => {} }),
  };
  const ask = async (admit: () => Promise<unknown>) => {
    const app = createAdminApp({ ...parts, guard: { admit } } as unknown as ApiParts);
    const incoming = { headersDistinct: {}, socket: { remoteAddress: '192.0.2.1' } };
    const record = begin();
    attachRecord(incoming, record);
    const answer = await app.request('/api/v1/roles', {}, { incoming });
    await written();
    return { status: answer.status, events: log.events.filter(({ id }) => id === record.id) };
  };
  const before = await ask(() => Promise.reject(new TypeError('inside')));
  expect(before.status).toBe(500);
  expect(before.events).toMatchObject([
    { phase: 'decision', decision: 'refusal', reason: 'internal-fault', status: 500 },
  ]);
  const caller = { principal: { account: { id: 'ada1' } } };
  // Let in, and there is nothing to carry it out with.
  const after = await ask(async () => ({ admitted: true, caller, known: ADA }));
  expect(after.status).toBe(500);
  expect(after.events.map(({ phase, reason }) => [phase, reason])).toEqual([
    ['decision', 'permitted'],
    ['outcome', 'internal-fault'],
  ]);
});

it('has one line in the access log for each request, as it ended', async () => {
  const line = (told: string) => `request-${id} admin POST /api/v1/roles ${told}`;
  const permitted = begin();
  await permitted.decided('permitted', ADA, null);
  expect(lines).toEqual([]);
  permitted.ended(201, 'permitted');
  permitted.ended(500, 'internal-fault');
  permitted.left();
  expect(lines).toEqual([line('201 permitted ada')]);
  const refused = begin();
  await refused.decided('token-missing', NOBODY, 401);
  refused.ended(401, 'token-missing');
  expect(lines.slice(1)).toEqual([line('401 token-missing ')]);
  const left = begin();
  await left.decided('permitted', ADA, null);
  left.left();
  expect(lines.slice(2)).toEqual([line('0 client-aborted ada')]);
});

it('says in the access log that nothing was done where the record has no room', async () => {
  start({ maxEvents: 0 });
  expect(await begin().decided('permitted', ADA, null)).toBe(false);
  expect(lines).toEqual([`request-${id} admin POST /api/v1/roles 503 audit-unavailable ada`]);
});
