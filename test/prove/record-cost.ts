/**
 * `npm run prove -- record-cost [PAIRS]`: what `audit.clientAddress` and `audit.headers` cost a
 * call. The decisions of varied requests are written down with the setting and without it, in turn;
 * told is the processor time of one decision in microseconds.
 */
import { EventBytes } from '../../src/audit/event/bytes.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { type AddressForm, ClientAddresses } from '../../src/audit/event/client-address.ts';
import { headersOf } from '../../src/audit/event/recorded-headers.ts';
import { DECISION } from '../support/call-events.ts';
import { quantile } from '../support/quantile.ts';
import { variedHeads } from '../support/varied-heads.ts';

const pairs = Number(process.argv[2] ?? 40);
const CALLS = 20_000;
const HEADS = variedHeads();
const FIELDS = new Set(['accept', 'accept-encoding', 'content-type']);
const NO_FIELDS: ReadonlySet<string> = new Set();
const VERDICT = { ...DECISION, permitted: true as const, account: { account: DECISION.account! } };

/** A setting, and how many clients call in turn. */
interface Setting {
  readonly what: string;
  readonly form: AddressForm;
  readonly fields: ReadonlySet<string>;
  readonly clients: number;
}

const SETTINGS: readonly Setting[] = [
  { what: '`clientAddress: truncated`', form: 'truncated', fields: NO_FIELDS, clients: 1000 },
  { what: '`hashed`, 1,000 clients', form: 'hashed', fields: NO_FIELDS, clients: 1000 },
  { what: '`hashed`, each from elsewhere', form: 'hashed', fields: NO_FIELDS, clients: CALLS },
  { what: '`headers`, none of which came', form: 'full', fields: new Set(['x-y']), clients: 1000 },
  { what: '`headers`, three are named', form: 'full', fields: FIELDS, clients: 1000 },
];

const came = HEADS.map((head) => Object.keys(headersOf(head, FIELDS) ?? {}).length);
const mean = (came.reduce((sum, one) => sum + one, 0) / came.length).toFixed(1);
console.log(`of three fields that are named, ${mean} came with a request\n`);
console.log('| setting | without | with | more (µs a decision) |');
console.log('| --- | --- | --- | --- |');
for (const setting of SETTINGS) {
  const plain = writer({ ...setting, form: 'full', fields: NO_FIELDS });
  const changed = writer(setting);
  const without: number[] = [];
  const withIt: number[] = [];
  for (let pair = -5; pair < pairs; pair += 1) {
    const turns = [() => without.push(cost(plain)), () => withIt.push(cost(changed))];
    for (const turn of pair % 2 === 0 ? turns : turns.toReversed()) turn();
    if (pair < 0) without.length = withIt.length = 0; // code is not compiled yet
  }
  const more = withIt.map((us, index) => us - without[index]!);
  const cells = [without, withIt, more].map((us) => quantile(us, 0.5).toFixed(2));
  const spread = `[${quantile(more, 0.25).toFixed(2)}, ${quantile(more, 0.75).toFixed(2)}]`;
  console.log(`| ${setting.what} | ${cells.join(' | ')} ${spread} |`);
}

/** @returns what writes the decision of the n-th call */
function writer({ form, fields, clients }: Setting): (to: EventBytes, n: number) => void {
  const addresses = new ClientAddresses(form);
  addresses.useKey(Buffer.alloc(32, 7));
  const calls = new CallEvents('edge-a.k2J9x');
  const from = Array.from(
    { length: clients },
    (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  );
  return (to, n) => {
    const head = HEADS[n % HEADS.length]!;
    const call = {
      ...DECISION,
      method: head.method,
      path: head.path,
      userAgent: head.userAgent,
      clientAddress: addresses.recorded(from[n % clients]!),
      headers: fields.size === 0 ? null : headersOf(head, fields),
    };
    calls.decision(to, n, DECISION.timeMs + n, call, VERDICT, null);
  };
}

/** Processor time of one decision, in microseconds. */
function cost(write: (to: EventBytes, n: number) => void): number {
  const to = new EventBytes(64 * 1024);
  const began = process.cpuUsage();
  for (let n = 0; n < CALLS; n += 1) {
    if (n % 8 === 0) to.shorten(0);
    write(to, n);
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / CALLS;
}
