import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../src/admin/remote/api-client.ts';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';
import { refusal } from './stores.ts';

describe('a server that does not answer as it should', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-api-client-'));
  let server: Server;
  let answer: RequestListener;
  let client: ApiClient;

  beforeAll(async () => {
    const { certificateFile, keyFile } = await ensureLocalCertificate(folder, Date.now());
    const tls = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
    server = createServer(tls, (request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = clientOf((server.address() as AddressInfo).port);
  });
  afterAll(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  function clientOf(
    port: number,
    ca: string | null = readFileSync(join(folder, 'ca.pem'), 'utf8'),
  ): ApiClient {
    return new ApiClient({ url: new URL(`https://localhost:${port}`), token: 'a token', ca });
  }

  const read = (on = client) => refusal(on.ask({ method: 'GET', path: '/roles' }));
  const change = (on = client) => refusal(on.ask({ method: 'POST', path: '/roles', body: {} }));

  it.each<[string, RequestListener]>([
    ['hangs up', (request) => request.socket.destroy()],
    ['answers something else', (_, response) => response.writeHead(502).end('bad gateway')],
    ['answers no JSON', (_, response) => response.end('<html>')],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{');
        setImmediate(() => response.destroy());
      },
    ],
  ])(
    'and %s leaves it open whether a change was made, and a reading is only told why',
    async (_, how) => {
      answer = how;
      expect(await change()).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('look before you repeat it'),
      });
      const told = await read();
      expect(told).toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/cannot be asked: \w+/),
      });
      expect(told.message).not.toMatch(/change|repeat/);
    },
  );

  it('but refuses is named with its reason', async () => {
    answer = (_, response) =>
      response
        .writeHead(403)
        .end(JSON.stringify({ reason: 'permission-denied', detail: 'ci lacks a permission' }));
    const { port } = server.address() as AddressInfo;
    expect(await read()).toMatchObject({
      ...{ code: 'forbidden', message: `ci lacks a permission (at https://localhost:${port})` },
    });
  });

  it('because there is none, or it is not to be trusted, has changed nothing', async () => {
    const { port } = server.address() as AddressInfo;
    for (const nobody of [clientOf(1), clientOf(port, null)]) {
      expect((await change(nobody)).message).toMatch(/; nothing was changed$/);
      expect((await read(nobody)).message).not.toContain('changed');
      nobody.close();
    }
  });
});
