import { describe, expect, it } from 'vitest';
import { responseHead } from '../forwarding/fake-upstream.ts';
import { CallStage, post, RENEWED, turn } from './call-stage.ts';

const ACKNOWLEDGED = { guarantee: 'acknowledged' } as const;

/** A call in each of its states, and what it waits for where there is more than one of them. */
const STATES = {
  deciding: () => new CallStage({}).late().begin(),
  collecting: () => new CallStage({ request: post('/body', 13), bodyBytes: 20 }).begin(),
  'recording a refusal': () =>
    new CallStage({ request: { authorization: null }, ...ACKNOWLEDGED }).begin(),
  'recording a permit': () => new CallStage({ request: post('/all'), ...ACKNOWLEDGED }).begin(),
  'awaiting-body': () => {
    const stage = new CallStage({ request: post('/all'), bodyBytes: 8 });
    stage.client.bodyHere = false;
    return stage.begin();
  },
  renewing: () => new CallStage({ request: { ...post('/renew', 0), framing: NONE } }).begin(),
  forwarding: () => new CallStage({ request: post('/all'), bodyBytes: 8 }).begin(),
  'forwarding, not on record': () => new CallStage(ACKNOWLEDGED).begin(),
  responding: () => responding(STATES.forwarding()),
  'asked about, not on record': () =>
    new CallStage({ request: ASKED, ...ACKNOWLEDGED, asks: true }).begin(),
  'asked about, late': () => new CallStage({ request: ASKED, asks: true }).late().begin(),
  begun: () => {
    const stage = responding(STATES.forwarding());
    stage.connection.receiver!.flush();
    return stage;
  },
} as const;
const NONE = { kind: 'none', declared: true } as const;
const ASKED = { method: 'POST', framing: { kind: 'elsewhere' } } as const;

function responding(stage: CallStage): CallStage {
  stage.connection.receiver!.onHead(responseHead());
  stage.connection.receiver!.onBody(Buffer.from('half'));
  return stage;
}

/** What may happen to it there. */
const EVENTS = {
  'the client leaves': (stage: CallStage) => stage.leave(),
  'the gate closes on it': (stage: CallStage) => stage.leave('draining'),
  'it is shut out': ({ call }: CallStage) => call.shutOut('token-revoked'),
  'too much body': ({ call }: CallStage) => call.onRequestBody(Buffer.alloc(21)),
  'a body that is none': ({ call }: CallStage) => call.onRequestFailed('request-malformed'),
  'the upstream fails': ({ connection }: CallStage) => connection.fails(),
  'on record': ({ outbox }: CallStage) => outbox.answer('accepted'),
  'not on record': ({ outbox }: CallStage) => outbox.answer('notAccepted'),
  'a fault of ours': ({ call }: CallStage) => call.onFault(new Error('a fault')),
} as const;

type State = keyof typeof STATES;
type What = keyof typeof EVENTS;

/** Everything that a call may wait for comes: its decision, its record, its renewal. */
async function settle(stage: CallStage): Promise<void> {
  await stage.decide();
  stage.outbox.answer('accepted');
  await stage.renewed(RENEWED);
}

/**
 * What is decided, how it ends if that is another thing, what the client hears last, and what
 * becomes of the connection to the upstream.
 */
const TABLE: Readonly<Record<State, Partial<Record<What, string>>>> = {
  deciding: {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'the gate closes on it': 'permitted, draining; nothing; none',
    'it is shut out': 'token-revoked; own 401 token-refused; none',
    'a body that is none': 'request-malformed; own 400 request-malformed; none',
    'a fault of ours': 'internal-fault; own 500 internal-fault; none',
  },
  collecting: {
    'the client leaves': 'request-malformed, client-aborted; nothing; none',
    'the gate closes on it': 'draining; nothing; none',
    'it is shut out': 'token-revoked; own 401 token-refused; none',
    'too much body': 'body-too-large; own 413 body-too-large; none',
    'a body that is none': 'request-malformed; own 400 request-malformed; none',
    'a fault of ours': 'internal-fault; own 500 internal-fault; none',
  },
  'asked about, not on record': {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'the gate closes on it': 'permitted, draining; nothing; none',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; none',
    'on record': 'permitted; own 200; none',
    'not on record': 'permitted, audit-unavailable; own 503 audit-unavailable; none',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; none',
  },
  'asked about, late': {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'it is shut out': 'token-revoked; own 401 token-refused; none',
    'a fault of ours': 'internal-fault; own 500 internal-fault; none',
  },
  'recording a refusal': {
    'the client leaves': 'token-missing, client-aborted; nothing; none',
    'the gate closes on it': 'token-missing, draining; nothing; none',
    'it is shut out': 'token-missing; own 401 token-missing; none',
    'too much body': 'token-missing; own 401 token-missing; none',
    'a body that is none': 'token-missing; own 401 token-missing; none',
    'on record': 'token-missing; own 401 token-missing; none',
    'not on record': 'token-missing, audit-unavailable; own 503 audit-unavailable; none',
    'a fault of ours': 'token-missing; own 401 token-missing; none',
  },
  'recording a permit': {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'the gate closes on it': 'permitted, draining; nothing; none',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; none',
    'a body that is none': 'permitted, request-malformed; own 400 request-malformed; none',
    'not on record': 'permitted, audit-unavailable; own 503 audit-unavailable; none',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; none',
  },
  'awaiting-body': {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'the gate closes on it': 'permitted, draining; nothing; none',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; none',
    'too much body': 'permitted, body-too-large; own 413 body-too-large; none',
    'a body that is none': 'permitted, request-malformed; own 400 request-malformed; none',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; none',
  },
  renewing: {
    'the client leaves': 'permitted, client-aborted; nothing; none',
    'the gate closes on it': 'permitted, draining; nothing; none',
    'it is shut out': 'permitted, permitted; own 200; none',
    'too much body': 'permitted, permitted; own 200; none',
    'a body that is none': 'permitted, permitted; own 200; none',
    'on record': 'permitted, permitted; own 200; none',
    'not on record': 'permitted, permitted; own 200; none',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; none',
  },
  forwarding: {
    'the client leaves': 'permitted, client-aborted; nothing; aborted',
    'the gate closes on it': 'permitted, draining; nothing; aborted',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; aborted',
    'too much body': 'permitted, body-too-large; own 413 body-too-large; aborted',
    'a body that is none': 'permitted, request-malformed; own 400 request-malformed; aborted',
    'the upstream fails': 'permitted, upstream-broken; own 502 upstream-broken; used',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; aborted',
  },
  'forwarding, not on record': {
    'the client leaves': 'permitted, client-aborted; nothing; aborted',
    'the gate closes on it': 'permitted, draining; nothing; aborted',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; aborted',
    'a body that is none': 'permitted, request-malformed; own 400 request-malformed; aborted',
    'the upstream fails': 'permitted, upstream-broken; own 502 upstream-broken; used',
    'not on record': 'permitted, audit-unavailable; own 503 audit-unavailable; aborted',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; aborted',
  },
  responding: {
    'the client leaves': 'permitted, client-aborted; body half; aborted',
    'the gate closes on it': 'permitted, draining; body half; aborted',
    'it is shut out': 'permitted, token-revoked; own 401 token-refused; aborted',
    'too much body': 'permitted, body-too-large; own 413 body-too-large; aborted',
    'a body that is none': 'permitted, request-malformed; own 400 request-malformed; aborted',
    'the upstream fails': 'permitted, upstream-broken; own 502 upstream-broken; used',
    'a fault of ours': 'permitted, internal-fault; own 500 internal-fault; aborted',
  },
  begun: {
    'the client leaves': 'permitted, client-aborted; body half; aborted',
    'the gate closes on it': 'permitted, draining; body half; aborted',
    'it is shut out': 'permitted, token-revoked; cut; aborted',
    'too much body': 'permitted, body-too-large; cut; aborted',
    'a body that is none': 'permitted, request-malformed; cut; aborted',
    'the upstream fails': 'permitted, upstream-broken; cut; used',
    'a fault of ours': 'permitted, internal-fault; cut; aborted',
  },
};

const ROWS = (Object.keys(TABLE) as State[]).flatMap((state) =>
  Object.entries(TABLE[state]).map(([what, ends]) => ({ state, what: what as What, ends })),
);

describe('a call that is', () => {
  it.each(ROWS)('$state, when $what: $ends', async ({ state, what, ends }) => {
    const stage = STATES[state]();
    EVENTS[what](stage);
    await settle(stage);
    expect(summary(stage)).toBe(ends);
    expect(stage.leftovers()).toEqual([]);
    // Whatever else may come, it has ended.
    for (const event of [
      'it is shut out',
      'on record',
      'not on record',
      'a fault of ours',
    ] as const)
      EVENTS[event](stage);
    expect(summary(stage)).toBe(ends);
    expect(stage.leftovers()).toEqual([]);
  });
});

function summary(stage: CallStage): string {
  const { heard } = stage.client;
  const last = heard.at(-1) ?? 'nothing';
  const [connection] = stage.upstream.given;
  const upstream = connection === undefined ? 'none' : connection.destroyed ? 'aborted' : 'used';
  const phases = stage.outbox.events.map(({ reason }) => reason);
  return `${phases.join(', ')}; ${last}; ${upstream}`;
}

/** What a permit leads through, as it is drawn above the class. */
describe('a call that goes well', () => {
  const served = (stage: CallStage) => {
    stage.connection.receiver!.onHead(responseHead());
    stage.connection.receiver!.onBody(Buffer.from('done'));
    stage.connection.ends();
    expect(stage.client.heard).toEqual(['head 200', 'body done', 'end']);
    expect(stage.phases()).toEqual(['decision permitted', 'outcome permitted']);
    expect(stage.leftovers()).toEqual([]);
  };

  it('says how long the gate and the upstream took, to known callers, where that is configured', () => {
    const timing = (path: string, serverTiming: boolean) => {
      const authorization = path === '/public' ? { authorization: null } : {};
      const stage = new CallStage({ serverTiming, request: { path, ...authorization } }).begin();
      served(stage);
      return stage.client.timing;
    };
    expect(timing('/all', true)).toBe('gate;dur=0.00, upstream;dur=0.00');
    expect(timing('/all', false)).toBeNull();
    expect(timing('/public', true)).toBeNull();
  });

  it('is told and not forwarded where somebody only asks, once it is on record', () => {
    const stage = STATES['asked about, not on record']();
    expect(stage.client.heard).toEqual([]);
    stage.outbox.answer('accepted');
    expect(stage.client.heard).toEqual(['own 200']);
    expect(stage.phases()).toEqual(['decision permitted']);
    expect(stage.upstream.given).toEqual([]);
    expect(stage.leftovers()).toEqual([]);
  });

  it('is forwarded at once where nobody waits for the record', () => {
    served(STATES.forwarding());
  });

  it('is forwarded once its late decision is here', async () => {
    const stage = STATES.deciding();
    expect(stage.upstream.given).toEqual([]);
    await stage.decide();
    served(stage);
  });

  it('is forwarded with its body once it is on record, when it may change something', () => {
    const stage = STATES['recording a permit']();
    expect([stage.upstream.given, stage.client.takesBody]).toEqual([[], false]);
    stage.outbox.answer('accepted');
    expect(stage.client.takesBody).toBe(true);
    stage.call.onRequestBody(Buffer.from('body'));
    stage.call.onRequestEnd(null);
    expect(stage.connection.told).toEqual(['begin POST /all', 'body body', 'end']);
    served(stage);
  });

  it('is forwarded at once when it changes nothing, and its response waits for the record', () => {
    const stage = STATES['forwarding, not on record']();
    expect(stage.connection.told).toEqual(['hold', 'begin GET /all', 'end']);
    stage.outbox.answer('accepted');
    expect(stage.connection.told.at(-1)).toBe('release');
    served(stage);
  });

  it('takes no connection before the first bytes of its body are here', () => {
    const stage = STATES['awaiting-body']();
    expect(stage.upstream.given).toEqual([]);
    stage.client.bodyHere = true;
    stage.call.onRequestBodyHere();
    served(stage);
  });

  it('is decided by its body, which the upstream gets byte for byte, at every try', () => {
    const stage = new CallStage({ request: post('/body', 13), connections: 2 }).begin();
    expect(stage.client.takesBody).toBe(true);
    for (const piece of ['{"app":', '"crm"}']) stage.call.onRequestBody(Buffer.from(piece));
    expect(stage.outbox.events).toEqual([]);
    stage.call.onRequestEnd(null);
    expect(stage.heldBodies.takenBytes).toBeGreaterThan(0);
    stage.connection.fails({ kind: 'unreachable', neverSent: true });
    for (const { told } of stage.upstream.given)
      expect(told).toEqual(['begin POST /body', 'body {"app":"crm"}', 'end']);
    stage.connection.receiver!.onHead(responseHead());
    expect(stage.heldBodies.takenBytes).toBe(0);
    stage.connection.ends();
    expect(stage.leftovers()).toEqual([]);
  });

  it('is not let in by a late decision that cannot be looked at again', async () => {
    const stage = STATES.deciding();
    stage.registry.late = true;
    await stage.decide();
    expect(stage.phases()).toEqual(['decision registry-unavailable']);
    expect(stage.client.heard).toEqual(['own 503 registry-unavailable']);
    expect(stage.leftovers()).toEqual([]);
  });

  it('may exchange a token, which nothing but the going of its client takes from it', async () => {
    const stage = STATES.renewing();
    expect(stage.openCalls.size).toBe(0);
    await stage.renewed(RENEWED);
    expect(stage.client.heard).toEqual(['own 200']);
    expect(stage.phases()).toEqual(['decision permitted', 'outcome permitted']);
    expect(stage.leftovers()).toEqual([]);
  });

  it.each([
    [{ renewed: false, reason: 'overloaded' } as const, 'own 503 overloaded'],
    [new Error('a fault'), 'own 500 internal-fault'],
  ])('may be refused its exchange: %o', async (how, word) => {
    const stage = STATES.renewing();
    await stage.renewed(how);
    expect(stage.client.heard).toEqual([word]);
    expect(stage.leftovers()).toEqual([]);
  });
});

describe('a decision', () => {
  it('for which there is no room is none: nothing goes anywhere, and there is no outcome', async () => {
    for (const request of [post('/all'), { authorization: null }, {}]) {
      const stage = new CallStage({ request, ...ACKNOWLEDGED });
      stage.outbox.takes = 'no-room';
      stage.begin();
      await turn();
      expect(stage.client.heard).toEqual(['own 503 audit-unavailable']);
      expect([stage.phases(), stage.upstream.given]).toEqual([[], []]);
      expect(stage.leftovers()).toEqual([]);
    }
  });

  it('that waits in vain from the beginning goes no further either, and is on record', async () => {
    const stage = new CallStage(ACKNOWLEDGED);
    stage.outbox.takes = 'late';
    stage.begin();
    await turn();
    expect(stage.client.heard).toEqual(['own 503 audit-unavailable']);
    expect(stage.upstream.given).toEqual([]);
    expect(stage.phases()).toEqual(['decision permitted', 'outcome audit-unavailable']);
    expect(stage.leftovers()).toEqual([]);
  });

  it('that is one of a flood is counted: nobody waits for it, and nothing is recorded', () => {
    const stage = new CallStage({ request: { authorization: null }, ...ACKNOWLEDGED });
    stage.flood = true;
    stage.begin();
    expect(stage.client.heard).toEqual(['own 401 token-missing']);
    expect([stage.phases(), stage.leftovers()]).toEqual([[], []]);
  });

  it('on a route that takes less than the guarantee waits for nothing', () => {
    const stage = new CallStage({ request: post('/effort'), ...ACKNOWLEDGED }).begin();
    expect(stage.connection.told).toEqual(['begin POST /effort']);
  });
});

describe('a call under way', () => {
  it('ends when its lease does, at the next bytes of either side', () => {
    const ways = {
      'of the request': ({ call }: CallStage) => call.onRequestBody(Buffer.from('more')),
      'of the response': ({ connection }: CallStage) => connection.receiver!.flush(),
      'at its end': ({ connection }: CallStage) => connection.ends(),
    };
    for (const [, way] of Object.entries(ways)) {
      const stage = STATES.begun();
      stage.covered = false;
      way(stage);
      expect(stage.client.heard.at(-1)).toBe('cut');
      expect(stage.phases()[1]).toBe('outcome registry-unavailable');
      expect(stage.connection.told.includes('body more')).toBe(false);
      expect(stage.leftovers()).toEqual([]);
    }
  });

  it('keeps both sides waiting for each other, and no longer', () => {
    const stage = STATES.forwarding();
    stage.connection.takesMore = false;
    stage.call.onRequestBody(Buffer.from('body'));
    stage.call.onRequestFlush();
    expect(stage.client.takesBody).toBe(false);
    stage.connection.receiver!.onDrain();
    expect(stage.client.takesBody).toBe(true);
    stage.client.keepsUp = false;
    expect(stage.connection.receiver!.flush()).toBe(false);
    stage.call.onClientDrain();
    expect(stage.connection.told.at(-1)).toBe('resume');
  });

  it('passes interim responses on, but for the one that the gate says itself', () => {
    const stage = STATES.forwarding();
    stage.connection.receiver!.onInterim(responseHead(100));
    stage.connection.receiver!.onInterim(responseHead(103));
    expect(stage.client.heard).toEqual(['interim 103']);
  });

  it('that finds no connection is refused, and so on record', () => {
    const stage = new CallStage({ connections: 0 }).begin();
    expect(stage.client.heard).toEqual(['own 503 overloaded']);
    expect(stage.phases()).toEqual(['decision permitted', 'outcome overloaded']);
    expect(stage.leftovers()).toEqual([]);
  });

  it('whose upstream finds nothing left here to connect with says so', () => {
    const stage = STATES.forwarding();
    stage.connection.fails({ kind: 'exhausted', detail: 'EMFILE', neverSent: true });
    expect(stage.logged).toEqual(['exhausted EMFILE']);
    expect(stage.client.heard).toEqual(['own 503 overloaded']);
  });
});

describe('a call whose end cannot be written down', () => {
  it.each(Object.keys(STATES) as State[])(
    'cuts its client off instead of keeping it waiting: %s',
    async (state) => {
      const stage = STATES[state]();
      stage.breaksRecords();
      EVENTS['it is shut out'](stage);
      await settle(stage);
      expect(stage.client.heard.at(-1)).toBe('cut');
      expect(stage.client.faults).toEqual([]);
      expect(stage.openCalls.size).toBe(0);
    },
  );
});

describe('a call to a service that is told who calls, signed', () => {
  const waiting = () => {
    const stage = new CallStage({ request: post('/all'), asserts: true });
    stage.client.bodyHere = false;
    return stage.begin();
  };
  const bodyComes = (stage: CallStage) => {
    stage.client.bodyHere = true;
    stage.call.onRequestBodyHere();
  };
  const ends = (stage: CallStage) => {
    stage.connection.receiver!.onHead(responseHead());
    stage.connection.ends();
    return stage.outbox.events.map(({ phase, assertionId }) => [phase, typeof assertionId]);
  };

  it('has what was signed for its decision, and its outcome says nothing of it', () => {
    const stage = waiting();
    bodyComes(stage);
    expect(ends(stage)).toEqual([
      ['decision', 'string'],
      ['outcome', 'undefined'],
    ]);
  });

  it('that waits for its body has another one signed, which its outcome names', () => {
    const stage = waiting();
    stage.clock.aheadMs = 30_000;
    bodyComes(stage);
    expect(ends(stage)).toEqual([
      ['decision', 'string'],
      ['outcome', 'string'],
    ]);
    const [decision, outcome] = stage.outbox.events;
    expect(outcome!.assertionId).not.toBe(decision!.assertionId);
  });

  it('goes nowhere where none can be signed any more', () => {
    const stage = waiting();
    stage.clock.aheadMs = 30_000;
    stage.keys.signer = null;
    bodyComes(stage);
    expect(stage.upstream.given).toEqual([]);
    expect(stage.client.heard).toEqual(['own 503 assertion-unavailable']);
    expect(stage.leftovers()).toEqual([]);
  });

  it('is refused, on record, where none can be signed', () => {
    const stage = new CallStage({ request: post('/all'), asserts: true });
    stage.keys.signer = null;
    stage.begin();
    expect(stage.upstream.given).toEqual([]);
    expect(stage.phases()).toEqual(['decision assertion-unavailable']);
    expect(stage.client.heard).toEqual(['own 503 assertion-unavailable']);
    expect(stage.leftovers()).toEqual([]);
  });

  it('that is asked about is told so as well', () => {
    const options = { request: ASKED, asks: true, asserts: true } as const;
    const stage = new CallStage(options).begin();
    expect(stage.outbox.events[0]).toHaveProperty('assertionId');
    const refused = new CallStage(options);
    refused.keys.signer = null;
    refused.begin();
    expect(refused.client.heard).toEqual(['own 503 assertion-unavailable']);
  });
});
