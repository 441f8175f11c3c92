/**
 * `npm run prove -- assertion-cost [PAIRS]`: what `upstreams.X.assertion` costs a call: finding or
 * signing the assertion, the longer head towards the service, and the longer decision in the
 * record. Heads and decisions of varied requests are written with it and without it, in turn; told
 * is the processor time of one call in microseconds.
 */
import { compilePrincipal } from '../../src/account/principal.ts';
import { type Assertion, Assertions, type Caller } from '../../src/assertion/assertions.ts';
import { newKey } from '../../src/assertion/key.ts';
import { EventBytes } from '../../src/audit/event/bytes.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { systemClock } from '../../src/clock.ts';
import type { Permit } from '../../src/decision/verdict.ts';
import { upstreamRequest } from '../../src/forwarding/request-fields.ts';
import { addressOnly } from '../../src/http/client-address.ts';
import { traceOf } from '../../src/http/trace.ts';
import { requestHead } from '../../src/http1/head-writer.ts';
import { DECISION } from '../support/call-events.ts';
import { quantile } from '../support/quantile.ts';
import { variedHeads } from '../support/varied-heads.ts';
import { account } from '../unit/account/samples.ts';
import { route } from '../unit/decision/samples.ts';

const pairs = Number(process.argv[2] ?? 40);
const CALLS = 4_000;
const PEER = { address: '10.1.2.3', port: 1, secure: true };
const UPSTREAM = { host: null, authority: 'up:80', gate: 'sallyport', rules: null };
const HEADS = variedHeads();
const APPLICATIONS = ['CRM', 'Billing', 'Portal', 'Reports'];
const wish = { audience: 'deployments', lifetimeMs: 60_000, bind: null };
const assertions = new Assertions({
  keys: { signer: newKey(0) },
  issuer: 'sallyport',
  clock: systemClock,
  wishes: new Map([['up', wish]]),
});
const REQUEST = { htm: 'GET', htu: 'https://api.example.com/applications/CRM/deployments' };

type Source = (caller: Caller) => Assertion | null;

/** By what the assertions come, and how many accounts call in turn. */
const SETTINGS: readonly (readonly [what: string, accounts: number, source: Source])[] = [
  ['given out again, 100 accounts', 100, (caller) => assertions.of('up', caller)],
  ['given out again, 1,000 accounts', 1000, (caller) => assertions.of('up', caller)],
  ['`bind: request`', 100, (caller) => assertions.bound('up', caller, REQUEST)],
];

console.log('| `assertion` | without | with | more (µs a call) |');
console.log('| --- | --- | --- | --- |');
for (const [what, accounts, source] of SETTINGS) {
  const callers = Array.from({ length: accounts }, (_, n) => permitOf(n));
  const [without, withIt]: [number[], number[]] = [[], []];
  for (let pair = -5; pair < pairs; pair += 1) {
    const turns = [
      () => without.push(cost(callers, () => null)),
      () => withIt.push(cost(callers, source)),
    ];
    for (const turn of pair % 2 === 0 ? turns : turns.toReversed()) turn();
    if (pair < 0) without.length = withIt.length = 0; // code is not compiled yet
  }
  const more = withIt.map((us, index) => us - without[index]!);
  const cells = [without, withIt, more].map((us) => quantile(us, 0.5).toFixed(2));
  const spread = `[${quantile(more, 0.25).toFixed(2)}, ${quantile(more, 0.75).toFixed(2)}]`;
  console.log(`| ${what} | ${cells.join(' | ')} ${spread} |`);
}

function permitOf(n: number): Permit & Caller {
  const id = `a${String(n).padStart(11, '0')}`;
  return {
    ...DECISION,
    permitted: true,
    account: compilePrincipal(account({ id, name: `caller-${n}` })),
    application: APPLICATIONS[n % APPLICATIONS.length]!,
    role: 'deployer',
    demand: null,
    scheme: null,
    rate: null,
    preflight: null,
    unsafe: false,
    route: route(),
  } as unknown as Permit & Caller;
}

/** Processor time of one call, in microseconds. */
function cost(callers: readonly (Permit & Caller)[], source: Source): number {
  const events = new CallEvents('edge-a.k2J9x');
  const to = new EventBytes(64 * 1024);
  const began = process.cpuUsage();
  for (let n = 0; n < CALLS; n += 1) {
    if (n % 8 === 0) to.shorten(0);
    const permit = callers[n % callers.length]!;
    const head = HEADS[n % HEADS.length]!;
    const assertion = source(permit);
    const facts = { ...DECISION, method: head.method, path: head.path, userAgent: head.userAgent };
    const call = { ...facts, assertionId: assertion === null ? null : assertion.id };
    events.decision(to, n, DECISION.timeMs + n, call, permit, null);
    const request = upstreamRequest({
      ...UPSTREAM,
      head,
      permit,
      peer: PEER,
      client: addressOnly(PEER.address),
      trace: traceOf(head, 'none'),
      requestId: 'request-1',
      assertion: assertion === null ? null : assertion.text,
    });
    Buffer.from(requestHead(request), 'latin1');
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / CALLS;
}
