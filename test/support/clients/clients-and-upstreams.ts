import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { startGateway } from '../gateway.ts';
import { type Part, requireOrSkip } from '../system.ts';
import { startNginx } from '../upstreams/nginx.ts';
import { type NodeServer, startNodeServer } from '../upstreams/node.ts';
import { startPythonServer } from '../upstreams/python.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import { type Answer, type Call, CLIENTS, type Client, call, hashFile, stream } from './client.ts';

/**
 * What people really call with, through the gate, to what they really run: every client with every
 * upstream. Bodies are compared by their hashes. Left out, because the upstream has no such thing:
 * uploads to Python's http.server, event streams from it and nginx.
 */
const SMALL = 'a small file\n';
const CALL_MS = 90_000;

interface Kind {
  readonly name: string;
  readonly part: Part | null;
  start(folder: string): Promise<Upstream>;
  /** Path for `PUT`, and the hash of what arrived there. */
  readonly upload: {
    path(): string;
    arrived(upstream: Upstream, path: string): Promise<string | undefined>;
  } | null;
  /** The upstream's own answer to an empty POST. */
  readonly emptyPost: { readonly path: string; readonly status: number };
}

export interface Extent {
  /** Of the big file, in whole megabytes. */
  readonly megabytes: number;
  /** Who calls; default: all of them. */
  readonly clients?: readonly Client[];
  /** Only what is about the big file. */
  readonly isAboutSize?: boolean;
}

let uploads = 0;

const KINDS: readonly Kind[] = [
  {
    name: 'nginx',
    part: 'nginx',
    start: startNginx,
    upload: {
      path: () => `/uploads/package-${uploads++}`,
      arrived: async (upstream, path) => {
        const file = join(
          (upstream as Awaited<ReturnType<typeof startNginx>>).uploads,
          path.slice('/uploads/'.length),
        );
        const { sha256 } = await hashFile(file);
        rmSync(file);
        return sha256;
      },
    },
    emptyPost: { path: '/empty', status: 201 },
  },
  {
    name: 'http.server',
    part: null,
    start: startPythonServer,
    upload: null,
    emptyPost: { path: '/files/small', status: 501 },
  },
  {
    name: 'node:http',
    part: null,
    start: startNodeServer,
    upload: {
      path: () => '/uploads/package',
      arrived: async (upstream) => (upstream as NodeServer).received.at(-1)?.sha256,
    },
    emptyPost: { path: '/empty', status: 201 },
  },
];

/** The tests, with a big file of this size. Call once per test file. */
export function testClientsAndUpstreams({
  megabytes,
  clients = CLIENTS,
  isAboutSize = false,
}: Extent): void {
  const itAnyway: (name: string, test: (ctx: TestContext) => Promise<void>) => void = isAboutSize
    ? () => {}
    : it;
  const bigBytes = megabytes * 1_000_000;
  let folder = '';
  let bigFile = '';
  let bigHash = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-files-'));
    bigFile = join(folder, 'big');
    writeFileSync(join(folder, 'small'), SMALL);
    writeBigFile(bigFile, megabytes);
    bigHash = (await hashFile(bigFile)).sha256;
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe.each(KINDS)('$name behind the gate', (kind) => {
    let upstream: Upstream | null = null;
    let gateway: Awaited<ReturnType<typeof startGateway>> | null = null;

    beforeAll(async () => {
      upstream = await kind.start(folder).catch(() => null);
      if (upstream === null) return;
      gateway = await startGateway({
        upstreams: { files: { addresses: [upstream.url] } },
      });
    });

    afterAll(async () => {
      await gateway?.stop();
      await upstream?.stop();
    });

    /**
     * The upstream and a call through the gate with the account's token; skips when a part is not
     * here, fails when it is and did not start.
     */
    function prepare(
      ctx: TestContext,
      part: Part | null,
    ): { upstream: Upstream; to(method: Call['method'], path: string): Call } {
      requireOrSkip(ctx, ...[kind.part, part].filter((needed) => needed !== null));
      if (upstream === null || gateway === null) throw new Error(`${kind.name} did not start`);
      const { url, caFile, token } = gateway;
      const headers = { authorization: `Bearer ${token}` };
      return {
        upstream,
        to: (method, path) => ({ method, url: `${url}${path}`, caFile, headers }),
      };
    }

    describe.each(clients)('called by $name', (client) => {
      itAnyway('gives a small file', async (ctx) => {
        const { to } = prepare(ctx, client.part);
        expect(await call(client, to('GET', '/files/small'))).toMatchObject({
          status: 200,
          text: SMALL,
        });
      });

      itAnyway('answers HEAD with the length and no body', async (ctx) => {
        const { to } = prepare(ctx, client.part);
        const answer = await call(client, to('HEAD', '/files/big'));
        expect([answer.status, answer.headers.get('content-length')]).toEqual([
          200,
          String(bigBytes),
        ]);
      });

      it(`gives ${megabytes} MB unchanged`, { timeout: CALL_MS }, async (ctx) => {
        const { to } = prepare(ctx, client.part);
        expect(summary(await call(client, to('GET', '/files/big')))).toEqual({
          status: 200,
          bytes: bigBytes,
          sha256: bigHash,
        });
      });

      const { upload } = kind;
      if (upload !== null) {
        it(`takes ${megabytes} MB unchanged`, { timeout: CALL_MS }, async (ctx) => {
          const { upstream, to } = prepare(ctx, client.part);
          const path = upload.path();
          const headers = {
            ...to('PUT', path).headers,
            'content-type': 'application/octet-stream',
          };
          const answer = await call(client, { ...to('PUT', path), headers, bodyFile: bigFile });
          expect(answer.status).toBe(201);
          expect(await upload.arrived(upstream, path)).toBe(bigHash);
        });
      }

      itAnyway('passes an empty POST, and the answer as the upstream gives it', async (ctx) => {
        const { upstream, to } = prepare(ctx, client.part);
        const answer = await call(client, to('POST', kind.emptyPost.path));
        expect(answer.status).toBe(kind.emptyPost.status);
        if (kind.name !== 'node:http') return;
        const last = (upstream as NodeServer).received.at(-1);
        expect([last?.method, last?.bytes, last?.headers['content-length']]).toEqual([
          'POST',
          0,
          '0',
        ]);
      });

      itAnyway('serves call after call, each on a connection of its own', async (ctx) => {
        const { to } = prepare(ctx, client.part);
        for (let i = 0; i < 3; i++) {
          const wanted = to('GET', '/files/small');
          const answer = await call(client, {
            ...wanted,
            headers: { ...wanted.headers, connection: 'close' },
          });
          expect(answer).toMatchObject({ status: 200, text: SMALL });
        }
      });

      if (kind.name !== 'node:http') return;

      it(`gives ${megabytes} MB of unknown length unchanged`, { timeout: CALL_MS }, async (ctx) => {
        const { to } = prepare(ctx, client.part);
        expect(summary(await call(client, to('GET', '/chunked/big')))).toEqual({
          status: 200,
          bytes: bigBytes,
          sha256: bigHash,
        });
      });

      itAnyway('shows each server-sent event when it is sent', async (ctx) => {
        const { upstream, to } = prepare(ctx, client.part);
        const events = stream(client, to('GET', '/events'));
        let seen = '';
        for await (const chunk of events.body) {
          seen += chunk.toString();
          // The second event is only sent when the first one has come out of the client.
          if (seen === 'data: one\n\n') (upstream as NodeServer).release();
        }
        await events.ended;
        expect(seen).toBe('data: one\n\ndata: two\n\n');
      });
    });
  });
}

function summary({ status, bytes, sha256 }: Answer) {
  return { status, bytes, sha256 };
}

/**
 * Every megabyte differs from the others, so that one that is lost, doubled or moved changes the
 * hash.
 */
function writeBigFile(path: string, megabytes: number): void {
  const block = randomBytes(1_000_000);
  const file = openSync(path, 'w');
  for (let i = 0; i < megabytes; i++) {
    block.writeUInt32BE(i);
    writeSync(file, block);
  }
  closeSync(file);
}
