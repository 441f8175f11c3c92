import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startDoor } from './door.ts';

/**
 * Whether the system has a keep-alive timer for the connection between two ports of the loopback,
 * as seen from the first (`tr` of proc(5), /proc/net/tcp: 2).
 */
function isProbed(from: number, to: number): boolean {
  const end = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const found = lines.find(([, local, remote]) => local === end(from) && remote === end(to));
  return found?.[5]?.startsWith('02:') ?? false;
}

it('asks of silent clients and upstreams whether they are still there', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('only Linux says which timers a socket has');
  const door = await startDoor({ upstream: {} });
  const client = connect(door.gate.port, '127.0.0.1');
  onTestFinished(() => client.destroy() as never);
  await new Promise((resolve) => client.once('connect', resolve));
  client.write(door.head('GET /a'));
  await new Promise((resolve) => client.once('data', resolve));
  const toUpstream = () =>
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , remote]) =>
        remote?.endsWith(`:${door.upstream.port.toString(16).toUpperCase().padStart(4, '0')}`),
      )
      .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16));
  await vi.waitFor(() => {
    expect(isProbed(door.gate.port, client.localPort!)).toBe(true);
    expect(toUpstream().some((port) => isProbed(port, door.upstream.port))).toBe(true);
  });
});
