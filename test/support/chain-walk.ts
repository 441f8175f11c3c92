import { createHash, createPublicKey, verify } from 'node:crypto';

/**
 * Walks the chain of one instance's events as SECURITY.md describes it, by code of its own.
 *
 * @param lines all of one instance, in the order of their numbers, as stored
 * @returns what does not hold, and how many events carry the chain or a signature
 */
export function walkChain(lines: readonly string[]): {
  readonly faults: readonly string[];
  readonly links: number;
  readonly heads: number;
} {
  const faults: string[] = [];
  let segment = createHash('sha256');
  let links = 0;
  let heads = 0;
  let publicKey = '';
  let lastHead: Record<string, unknown> = {};
  lines.forEach((line, index) => {
    const event = JSON.parse(line) as Record<string, unknown>;
    const { seq, chain, type } = event;
    if (seq !== index + 1) faults.push(`event ${index + 1} has number ${seq}`);
    if (chain !== undefined) {
      links += 1;
      if (index > 0 && segment.digest('base64url') !== chain)
        faults.push(`the chain breaks before event ${seq}`);
      segment = createHash('sha256');
    }
    segment.update(`${line}\n`);
    if (type === 'instance-begun') {
      publicKey = String(event.publicKey);
      lastHead = { number: seq, time: event.time };
    }
    if (type === 'chain-head' || type === 'instance-ended') {
      heads += 1;
      const { instance, time, signature } = event;
      const last = event.lastHead as { number: number; time: string };
      if (last.number !== lastHead.number || last.time !== lastHead.time)
        faults.push(`event ${seq} does not name the head before it`);
      lastHead = { number: seq, time };
      const text = `sallyport-audit-head/2\n${instance}\n${seq}\n${chain}\n${time}\n${last.number}\n${last.time}\n`;
      const key = createPublicKey({
        key: Buffer.from(publicKey, 'base64url'),
        format: 'der',
        type: 'spki',
      });
      if (!verify(null, Buffer.from(text), key, Buffer.from(String(signature), 'base64url')))
        faults.push(`the signature of event ${seq} does not hold`);
    }
  });
  return { faults, links, heads };
}
