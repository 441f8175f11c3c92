import { expect, it } from 'vitest';
import { ClientAddresses } from '../../../src/audit/event/client-address.ts';
import { createOutbox } from '../../../src/audit/outbox/outbox.ts';
import type { AuditLog } from '../../../src/audit/port.ts';
import { systemClock } from '../../../src/clock.ts';
import { signInRecorder } from '../../../src/gateway/console.ts';
import { entriesOf } from '../../support/audit-batch.ts';
import type { AuditEvent } from '../../support/gateway.ts';

it('says in a pair what a person got whose sign-in was recorded too late', async () => {
  const events: AuditEvent[] = [];
  const { promise: back, resolve: comesBack } = Promise.withResolvers<void>();
  const log: AuditLog = {
    async append(batch) {
      await back;
      for (const { event } of entriesOf(batch)) events.push(JSON.parse(event) as AuditEvent);
    },
    async close() {},
  };
  const health = () => {};
  const observer = { accepted() {}, unrecorded() {}, lost() {}, resent() {}, fault() {}, health };
  const outbox = createOutbox({
    log,
    instance: 'unit',
    clock: systemClock,
    observer,
    limits: { deadlineMs: 20 },
  });
  let id = 0;
  const nextRequestId = () => `sign-in-${++id}`;
  const record = signInRecorder({
    addresses: new ClientAddresses('full'),
    outbox,
    instance: 'unit',
    clock: systemClock,
    nextRequestId,
  });
  const whence = { claimedAccountId: null, clientAddress: null, userAgent: null };
  const account = { id: 'ada1', name: 'ada' };
  expect(await record({ ...whence, reason: 'signed-in', account })).toBe(false);
  // Whoever is refused is refused all the same.
  expect(await record({ ...whence, reason: 'password-wrong', account: null })).toBe(false);
  comesBack();
  await expect.poll(() => outbox.pending).toBe(0);
  const pairs = events.map((event) => [event.id, event.phase, event.reason, event.status]);
  expect(pairs).toEqual([
    ['sign-in-1', 'sign-in', 'signed-in', undefined],
    ['sign-in-1', 'outcome', 'audit-unavailable', 503],
    ['sign-in-2', 'sign-in', 'password-wrong', undefined],
  ]);
  await outbox.close(10);
});
