import * as z from 'zod';
import { restart } from '../reloading.ts';
import { orNull, whole } from '../values.ts';

/** A bucket of calls that fills up again evenly. */
export const rate = {
  requests: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('Calls that may be made at once by whoever was quiet before.'),
  windowSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .describe('Time in which as many calls come back, evenly, in seconds.'),
};

/** Of a whole: above 0, at most 1. */
function share(byDefault: number, doc: string) {
  return z.number().gt(0).max(1).default(byDefault).describe(doc);
}

export const limitsSection = z
  .strictObject({
    connections: restart(
      whole(
        { min: 1, max: 1_000_000, default: 20_000 },
        'Client connections at the same time, of each worker.',
      ),
    ),
    connectionsPerAddress: whole(
      { min: 1, max: 1_000_000, default: 1000 },
      'Of those, and of the connections to the other listeners, so many of one client address (IPv6: of one /64) at most. Peers in listen.proxy.trustedProxies are exempt. Each of several workers has an equal part of it on their port, which the system deals out by chance: allow some more than one address needs.',
    ),
    headBytes: whole(
      { min: 1024, max: 1_048_576, default: 16_384 },
      'Size of a request head (request line and headers), in bytes.',
    ),
    targetBytes: whole(
      { min: 128, max: 65_536, default: 8192 },
      'Length of a request target (path and query), in bytes.',
    ),
    headTimeoutMs: whole(
      { min: 100, max: 600_000, default: 10_000 },
      'Time for a request head to arrive, in milliseconds.',
    ),
    idleTimeoutMs: whole(
      { min: 100, max: 86_400_000, default: 65_000 },
      'Time without a byte in either direction before a connection is closed, in milliseconds. Keep it above the idle time of a balancer in front (60 s is common), or that one uses connections that are being closed.',
    ),
    bodyBytes: whole(
      { min: 0, max: 2 ** 50, default: 0 },
      'Size of a request body, in bytes; 0 = no limit (bodies are streamed, never held).',
    ),
    minBodyBytesPerSecond: whole(
      { min: 0, max: 1_000_000, default: 240 },
      'Slowest pace at which a request body may come, in bytes per second, counted while the client is waited for; 0 = none, for uploads that are streams of events.',
    ),
    bodyGraceMs: whole(
      { min: 100, max: 600_000, default: 10_000 },
      'How far a request body may fall behind that pace, and so how long its first bytes may take, in milliseconds.',
    ),
    publicShare: share(
      0.25,
      'Part of the connections to an upstream, to its addresses that do not fail, that all public routes together may use at the same time.',
    ),
    accountShare: share(
      0.5,
      'Part of the connections to an upstream, to its addresses that do not fail, that one account may use at the same time.',
    ),
    tunnelsPerAccount: whole(
      { min: 1, max: 1_000_000, default: 100 },
      'Tunnels (WebSocket and other upgrades) that one account may have at the same time, of each worker.',
    ),
    tunnelIdleMs: whole(
      { min: 1000, max: 86_400_000, default: 300_000 },
      'Time without a byte in either direction before a tunnel is ended, in milliseconds. Services that say nothing for longer send pings of their own.',
    ),
    accountRate: orNull(
      z.strictObject(rate),
      'What one account may call in all, over all routes together. Beyond: 429.',
    ),
    localSharePercent: restart(
      whole(
        { min: 1, max: 100, default: 25 },
        'Part of a rate limit that one instance gives out by itself while the store is away, and before it has asked; about 100 / instances.',
      ),
    ),
  })
  .prefault({})
  .describe('What one client may take up.');
