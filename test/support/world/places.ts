/**
 * Who is where in the namespace. All of 127.0.0.0/8 is its loopback, so that everybody has an
 * address and the ports that they have in the world outside.
 */
export const PLACES = {
  /** HAProxy that passes bytes on, with the PROXY protocol. */
  tcpFront: '127.0.0.10',
  /** HAProxy that ends TLS and speaks it anew. */
  httpFront: '127.0.0.11',
  nginxFront: '127.0.0.12',
  gates: ['127.0.1.1', '127.0.1.2'],
  services: ['127.0.2.1', '127.0.2.2'],
  redis: ['127.0.3.1', '127.0.3.2'],
} as const;

export const PORTS = { gate: 8443, ops: 9000, service: 80, redis: 6379, redisTls: 6380 } as const;

export const NAMES = {
  tcpFront: 'tcp.world.test',
  httpFront: 'http.world.test',
  nginxFront: 'nginx.world.test',
  gate: 'gate.world.test',
  service: 'service.world.test',
  redis: 'redis.world.test',
} as const;

/** What the fronts are called by. */
export const FRONTS = ['tcpFront', 'httpFront', 'nginxFront'] as const;
export type Front = (typeof FRONTS)[number];

/** Of every name: short, as where things move. */
export const TTL_SECONDS = 1;
