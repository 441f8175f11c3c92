import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

/** What a receiver was sent, its signature checked. */
export interface Received {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly isSigned: boolean;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly caFile: string;
  readonly secretFile: string;
  /** In the order in which they came, repetitions included. */
  readonly received: Received[];
  /** What is said from now on. Default: 204. */
  answer: (response: ServerResponse, received: Received) => void;
  waitFor(what: string, holds: (received: readonly Received[]) => boolean): Promise<void>;
  stop(): Promise<void>;
}

/** `whsec_` and 32 bytes: what stands in `secretFile`. */
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 'k').toString('base64')}`;

/** By then whatever is sent has come. */
const LIMIT_MS = 20_000;

/** A real receiver by HTTPS, on the loopback, under the name `localhost`. @param dir is there */
export async function startReceiver(dir: string): Promise<WebhookReceiver> {
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const [caFile, secretFile] = [join(dir, 'receiver-ca.pem'), join(dir, 'webhook-secret')];
  writeFileSync(caFile, authority.pem);
  writeFileSync(secretFile, `${WEBHOOK_SECRET}\n`, { mode: 0o600 });
  const files = await writeCertificate(dir, 'receiver', authority, {
    hosts: [{ dns: 'localhost' }],
  });
  const received: Received[] = [];
  const receiver = {
    answer: (response: ServerResponse) => void response.writeHead(204).end(),
  } as { answer: WebhookReceiver['answer'] };
  const server = createServer(
    { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) },
    (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const one = read(request.headers, Buffer.concat(pieces).toString());
        received.push(one);
        receiver.answer(response, one);
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    url: `https://localhost:${port}/events`,
    caFile,
    secretFile,
    received,
    async waitFor(what: string, holds: (received: readonly Received[]) => boolean) {
      for (const endMs = Date.now() + LIMIT_MS; !holds(received); await sleep(10))
        if (Date.now() > endMs)
          throw new Error(`${what} has not come: ${JSON.stringify(received)}`);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function read(headers: IncomingHttpHeaders, body: string): Received {
  const { type, data } = JSON.parse(body) as Pick<Received, 'type' | 'data'>;
  const id = String(headers['webhook-id']);
  const wanted = createHmac('sha256', Buffer.alloc(32, 'k'))
    .update(`${id}.${headers['webhook-timestamp']}.${body}`)
    .digest('base64');
  const isSigned = String(headers['webhook-signature']).split(' ').includes(`v1,${wanted}`);
  return { id, type, data, headers, body, isSigned };
}
