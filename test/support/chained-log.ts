import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Writes chained audit logs on its own, without the product's code. */

export interface LogKey {
  readonly id: string;
  readonly publicKey: string;
  readonly secret: KeyObject;
}

export function makeLogKey(): LogKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const der = publicKey.export({ format: 'der', type: 'spki' });
  const id = createHash('sha256').update(der).digest('hex').slice(0, 16);
  return { id, publicKey: der.toString('base64url'), secret: privateKey };
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');

export interface Head {
  instance: string;
  seq: number;
  chain: string;
  time: string;
  lastHead: { number: number; time: string };
  key: string;
  signature: string;
}

/** One incarnation, event by event. */
export class LogInstance {
  readonly name: string;
  readonly key: LogKey;
  readonly lines: string[] = [];
  head: Head | null = null;
  #segment = '';
  #seq = 0;
  #lastHead = { number: 1, time: '' };
  readonly #now: () => string;

  constructor(name: string, key: LogKey, previous: Head | null, now: () => string) {
    this.name = name;
    this.key = key;
    this.#now = now;
    const adopted =
      previous === null
        ? null
        : { instance: previous.instance, seq: previous.seq, chain: previous.chain };
    const first = { type: 'instance-begun', phase: 'chain', previous: adopted, version: '1.0.0' };
    const own = { key: key.id, publicKey: key.publicKey };
    const time = this.#now();
    this.#lastHead = { number: 1, time };
    this.#write({ ...first, ...own }, adopted?.chain ?? 'A'.repeat(43), time);
  }

  get seq(): number {
    return this.#seq;
  }

  /** When it has signed last, or begun. */
  get signedMs(): number {
    return Date.parse(this.#lastHead.time);
  }

  call(link = false): string {
    const known = { type: 'call', phase: 'decision', decision: 'permit', reason: 'permitted' };
    const more = { path: `/things/${this.#seq}`, method: 'GET', status: 200, requestId: 'r' };
    return this.#write({ ...known, ...more }, link ? this.#link() : null);
  }

  other(event: Record<string, unknown>): string {
    return this.#write(event, null);
  }

  sign(type: 'chain-head' | 'instance-ended' = 'chain-head'): string {
    const chain = this.#link();
    const [seq, time] = [this.#seq + 1, this.#now()];
    const lastHead = this.#lastHead;
    const place = `${this.name}\n${seq}\n${chain}\n${time}\n`;
    const text = `sallyport-audit-head/2\n${place}${lastHead.number}\n${lastHead.time}\n`;
    const signature = sign(null, Buffer.from(text), this.key.secret).toString('base64url');
    const own = { lastHead, key: this.key.id, signature };
    this.head = { instance: this.name, seq, chain, time, ...own };
    this.#lastHead = { number: seq, time };
    return this.#write({ type, phase: 'chain', ...own }, chain, time);
  }

  /** Says that so many numbers are in no log, and leaves them out. */
  lose(count: number): string {
    const [firstSeq, lastSeq] = [this.#seq + 1, this.#seq + count];
    for (let i = 0; i < count; i += 1) this.lines.splice(this.lines.indexOf(this.call()), 1);
    const known = { type: 'events-lost', phase: 'chain', reason: 'failover' };
    return this.other({ ...known, firstSeq, lastSeq, count });
  }

  #link(): string {
    const chain = sha256(this.#segment);
    this.#segment = '';
    return chain;
  }

  #write(event: Record<string, unknown>, chain: string | null, time = this.#now()): string {
    this.#seq += 1;
    const base = { id: `${this.name}-${this.#seq}`, time, instance: this.name, seq: this.#seq };
    const line = JSON.stringify({ ...base, ...event, ...(chain === null ? {} : { chain }) });
    this.#segment += `${line}\n`;
    this.lines.push(line);
    return line;
  }
}

/** An outcome that an instance writes for one that is gone, without a number. */
export function unknownOutcome(by: string, of: string, id: string, time: string): string {
  const known = { type: 'call', phase: 'outcome', account: null, reason: 'outcome-unknown' };
  return JSON.stringify({ id, time, instance: by, requestId: id, decidedBy: of, ...known });
}

/** What retention signs before it cuts. */
export function trimAnchor(writer: LogInstance, before: string, time: string, stream = 'all') {
  const text = `sallyport-audit-trim/1\n${writer.name}\n${stream}\n${before}\n${time}\n`;
  const signature = sign(null, Buffer.from(text), writer.key.secret).toString('base64url');
  const { id } = writer.key;
  return { instance: writer.name, stream, trimmedBefore: before, time, key: id, signature };
}
