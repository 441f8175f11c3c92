import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { folder, newAuthority, writeCertificate } from '../../unit/tls/samples.ts';
import { call, startTlsGate } from './gate.ts';

it('answers 421 for a host of another certificate than the one that was shown, and serves it where it belongs', async () => {
  const authority = await newAuthority();
  const dir = folder();
  const certificates = [
    await writeCertificate(dir, 'first', authority),
    await writeCertificate(dir, 'second', authority),
  ];
  const { gate, upstream, reload } = await startTlsGate({ certificates });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ask = (servername: string, host: string) =>
    call(
      gate,
      { ca: authority.pem, servername, agent, headers: { host: `${host}:${gate.port}` } },
      servername,
    );
  expect(await ask('first.test', 'first.test')).toMatchObject({ status: 200 });
  const before = upstream.connections.flatMap(({ requests }) => requests).length;
  const misplaced = await ask('first.test', 'second.test');
  expect(misplaced).toMatchObject({
    status: 421,
    body: expect.stringContaining('"reason":"host-misdirected"'),
  });
  expect(await ask('first.test', 'SECOND.test.')).toMatchObject({ status: 421 });
  expect(upstream.connections.flatMap(({ requests }) => requests)).toHaveLength(before);
  expect(await ask('second.test', 'second.test')).toMatchObject({ status: 200 });
  expect(await ask('first.test', 'elsewhere.test')).toMatchObject({ status: 200 });
  const recorded = (await gate.events()).filter(({ reason }) => reason === 'host-misdirected');
  expect(recorded).toHaveLength(2);
  expect(recorded.every((event) => event.account === null)).toBe(true);
  reload({ certificates: certificates.slice(0, 1) });
  expect(
    await call(gate, { ca: authority.pem, headers: { host: 'second.test' } }, 'first.test'),
  ).toMatchObject({ status: 200 });
});

it('lets in only clients with a certificate of its CA, and asks them for a token all the same', async () => {
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const clients = await newAuthority([{ dns: 'client.test' }], 'Client CA', 'client');
  const dir = folder();
  const clientCaFile = join(dir, 'clients.pem');
  writeFileSync(clientCaFile, clients.pem);
  const own = await writeCertificate(dir, 'own', authority, { hosts: [{ dns: 'localhost' }] });
  const { certificateFile, keyFile } = await writeCertificate(dir, 'client', clients, {
    purpose: 'client',
  });
  const { gate, reload } = await startTlsGate({ certificates: [own], clientCaFile });
  const known = {
    ca: authority.pem,
    cert: readFileSync(certificateFile),
    key: readFileSync(keyFile),
  };
  expect(await call(gate, known)).toMatchObject({ status: 200 });
  expect(await call(gate, { ...known, headers: { authorization: 'Bearer none' } })).toMatchObject({
    status: 401,
  });
  await expect(call(gate, { ca: authority.pem })).rejects.toThrow();
  // A reload asks for less, then for more again.
  reload({ certificates: [own] });
  expect(await call(gate, { ca: authority.pem })).toMatchObject({ status: 200 });
  reload({ certificates: [own], clientCaFile });
  await expect(call(gate, { ca: authority.pem })).rejects.toThrow();
  expect((await gate.events()).every(({ reason }) => reason !== 'internal-fault')).toBe(true);
});

it('lets the half-open connections that have waited longest go for new ones, so that a flood of them keeps nobody out', async () => {
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const own = await writeCertificate(folder(), 'own', authority, { hosts: [{ dns: 'localhost' }] });
  const { gate } = await startTlsGate(
    { certificates: [own] },
    { connections: 400, headTimeoutMs: 60_000 },
  );
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  const closed = new Set<Socket>();
  // Half say nothing, half begin a handshake and never go on: a record header and no record.
  for (let index = 0; index < 600; index += 1) {
    const socket = connectTcp({ port: gate.port, host: '127.0.0.1' });
    socket.on('error', () => {}).once('close', () => closed.add(socket));
    if (index % 2 === 0) socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
    sockets.push(socket);
    if (index % 50 === 0) await sleep(5);
  }
  await vi.waitFor(() => expect(closed.size).toBe(500), 30_000);
  expect(sockets.slice(0, 400).filter((socket) => !closed.has(socket))).toEqual([]);
  expect(await call(gate, { ca: authority.pem })).toMatchObject({ status: 200 });
});
