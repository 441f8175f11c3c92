import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { responseHead } from '../forwarding/fake-upstream.ts';
import { CallStage, post, RENEWED, type StageOptions, turn } from './call-stage.ts';

/** What a door, an upstream, the log and the registry may do to a call, in any order. */
const STEPS: Readonly<Record<string, (stage: CallStage) => unknown>> = {
  'the decision comes': (stage) => stage.decide(),
  'it is on record': ({ outbox }) => outbox.answer('accepted'),
  'it is not on record': ({ outbox }) => outbox.answer('notAccepted'),
  'the first bytes are here': ({ client, call }) => {
    if (client.bodyHere) return;
    client.bodyHere = true;
    call.onRequestBodyHere();
  },
  'a piece of the body': ({ client, call }) => {
    if (!client.takesBody) return;
    call.onRequestBody(Buffer.from('{"app":"crm"}'));
    if (client.takesBody) call.onRequestFlush();
  },
  'the end of the body': ({ client, call }) => {
    if (!client.takesBody) return;
    client.takesBody = false;
    call.onRequestEnd(null);
  },
  'the body is none': ({ client, call }) => {
    if (client.takesBody) call.onRequestFailed('request-malformed');
  },
  'the client leaves': (stage) => stage.leave(),
  'the gate closes': (stage) => stage.leave('draining'),
  'its tunnel is to end': ({ call }) => call.endTunnel(),
  'it is shut out': ({ call }) => call.shutOut('token-revoked'),
  'the lease ends': (stage) => {
    stage.covered = false;
    stage.openCalls.lapsed();
  },
  'the upstream connects': (stage) => upstream(stage)?.receiver?.onConnected(),
  'the upstream pauses': (stage) => {
    const connection = upstream(stage);
    if (connection !== undefined) connection.takesMore = false;
  },
  'the upstream goes on': (stage) => upstream(stage)?.receiver?.onDrain(),
  'an interim response': (stage) => heard(stage)?.receiver?.onInterim(responseHead(103)),
  'the head of the response': (stage) => heard(stage)?.receiver?.onHead(responseHead()),
  'the upstream agrees': (stage) => asked(stage)?.receiver?.onHead(responseHead(101)),
  'a piece of the response': (stage) => begun(stage)?.receiver?.onBody(Buffer.from('piece')),
  'it is flushed': (stage) => begun(stage)?.receiver?.flush(),
  'the end of the response': (stage) => begun(stage)?.ends(),
  'the upstream fails': (stage) => upstream(stage)?.fails(),
  'it was never reached': (stage) => upstream(stage)?.fails({ neverSent: true }),
  'the exchange is done': (stage) => stage.renewed(RENEWED),
  'a fault of ours': ({ call }) => call.onFault(new Error('a fault')),
};

const upstream = (stage: CallStage) => stage.upstream.given.at(-1);

/** Its connection keeps an answer back that is held. */
function heard(stage: CallStage) {
  const connection = upstream(stage);
  const isHeld = connection?.told.includes('hold') && !connection.told.includes('release');
  return isHeld || hasHead(stage) ? undefined : connection;
}

const hasHead = ({ client }: CallStage) =>
  client.heard.includes('head 200') || client.heard.includes('tunnel 101');
/** It was asked for another protocol. */
const asked = (stage: CallStage) =>
  stage.upstream.given.some(({ told }) => told[0] === 'begin GET /tunnel')
    ? heard(stage)
    : undefined;
const begun = (stage: CallStage) => (hasHead(stage) ? upstream(stage) : undefined);

const TUNNEL = { path: '/tunnel', target: '/tunnel', upgrade: 'x-bytes', nominated: ['upgrade'] };
const requests = fc.constantFrom<NonNullable<StageOptions['request']>>(
  {},
  { path: '/public' },
  { authorization: null },
  post('/all'),
  { ...post('/all'), expectsContinue: true },
  { ...post('/all'), method: 'DELETE' },
  post('/effort'),
  post('/body', 13),
  TUNNEL,
  { ...post('/renew'), framing: { kind: 'none', declared: true } },
);

const situations = fc.record({
  request: requests,
  guarantee: fc.constantFrom('acknowledged' as const, 'buffered' as const),
  connections: fc.constantFrom(0, 1, 3),
  bodyBytes: fc.constantFrom(0, 30),
  bodyHere: fc.boolean(),
  late: fc.boolean(),
  takes: fc.constantFrom('kept' as const, 'kept' as const, 'late' as const, 'no-room' as const),
  steps: fc.array(fc.constantFrom(...Object.keys(STEPS)), { maxLength: 24 }),
});

const isLost = ({ outbox }: CallStage) => outbox.takes === 'no-room' && outbox.unawaited;

/** Whatever the order, what must hold while it goes on. */
function watch(stage: CallStage): string[] {
  const faults: string[] = [];
  const { client, outbox } = stage;
  const phases = stage.phases();
  const decisions = phases.filter((phase) => phase.startsWith('decision'));
  const outcomes = phases.filter((phase) => phase.startsWith('outcome'));
  if (decisions.length > 1 || outcomes.length > 1) faults.push(`recorded: ${phases}`);
  if (outcomes.length > decisions.length) faults.push('an outcome without a decision');
  // Where nobody waits for the record, no room for it is a record less.
  const permitted = decisions[0] === 'decision permitted' || isLost(stage);
  if (stage.upstream.given.length > 0 && !permitted) faults.push('sent upstream without a permit');
  const { given } = stage.upstream;
  for (const { told } of given) {
    const closed = told.findIndex((word) => word === 'destroy' || word === 'finish');
    const late = told.slice(closed + 1).filter((word) => /^(body|end|begin|resume)/.test(word));
    if (closed !== -1 && late.length > 0) faults.push(`${late} to a connection that was given up`);
  }
  if (client.heard.includes('end') && !phases.includes('outcome permitted') && !isLost(stage))
    faults.push('a clean end of a call that did not go well');
  if (client.told && decisions.length === 0 && outbox.takes !== 'no-room')
    faults.push('an answer before the decision is on record');
  return faults;
}

/** The client leaves at last, and what is waited for comes. */
async function finish(stage: CallStage): Promise<void> {
  await stage.decide();
  stage.outbox.answer('accepted');
  await turn();
  if (!stage.client.told && !stage.client.gone) stage.leave();
  stage.outbox.answer('accepted');
}

it('has one decision and one end, whatever happens in whichever order', async () => {
  await fc.assert(
    fc.asyncProperty(situations, async ({ bodyHere, late, takes, steps, ...options }) => {
      const stage = new CallStage(options);
      stage.client.bodyHere = bodyHere;
      stage.outbox.takes = takes;
      if (late) stage.late();
      stage.begin();
      for (const step of steps) {
        // A door says nothing of a call whose client has its answer, or has gone.
        const { told, gone } = stage.client;
        const ofTheDoor =
          /^(the first|a piece of the body|the end of the body|the body|the gate|the client|its tunnel)/;
        if ((told || gone) && ofTheDoor.test(step)) continue;
        await STEPS[step]!(stage);
        expect(watch(stage)).toEqual([]);
      }
      await finish(stage);
      expect([...watch(stage), ...stage.leftovers()]).toEqual([]);
      const [decision, outcome] = stage.phases();
      if (takes === 'no-room') expect(decision).toBe(undefined);
      else if (decision === 'decision permitted') expect(outcome).toMatch(/^outcome /);
      else expect(outcome?.slice(8)).not.toBe(decision!.slice(9));
    }),
    { numRuns: 2000 },
  );
});
