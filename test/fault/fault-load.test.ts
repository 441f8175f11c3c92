import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { newToken } from '../../src/account/token.ts';
import { underFault } from '../support/fault-load.ts';
import type { TestGateway } from '../support/gateway.ts';

/**
 * No gate at all: a server that answers as it is told, and an administration that revokes nothing.
 */
async function reportOn(statusOf: () => number, fault: () => Promise<void> = async () => {}) {
  const server = createServer((_, response) => {
    response.writeHead(statusOf()).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issue = async () => ({ id: 'a'.repeat(12), token: newToken('a'.repeat(12)) });
  const gate = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: newToken('b'.repeat(12)),
    createAccount: issue,
    administration: { rotateToken: async () => ({ revocation: { effective: true } }) },
  } as unknown as TestGateway;
  try {
    return await underFault(gate, fault);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

it('the load under a fault notices a gate that lets everybody in', async () => {
  const { wrong } = await reportOn(() => 200);
  expect([...wrong].sort()).toEqual(['a revoked token got 200', 'a token that nobody has got 200']);
});

it('the load under a fault notices a gate that calls good tokens unknown for a while', async () => {
  let forgetful = false;
  let forgotten = 0;
  const status = () => {
    if (!forgetful) return 200;
    forgotten += 1;
    return 401;
  };
  const fault = async () => {
    forgetful = true;
    await sleep(500);
    // Enough that the call of each kind is among them, however slow the machine is.
    await expect.poll(() => forgotten).toBeGreaterThan(50);
    forgetful = false;
  };
  const { wrong, known } = await reportOn(status, fault);
  expect(wrong).toContain('a token that counts got 401 (known)');
  expect(known.failed).toBeGreaterThan(0);
});
