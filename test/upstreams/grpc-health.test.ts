import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { openPool } from './pool.ts';

const CHECK = { path: null, intervalMs: 50, timeoutMs: 5000, unhealthyAfter: 2, healthyAfter: 1 };
const WAIT = { timeout: 30_000, interval: 10 };
const SERVING = 1;
const NOT_SERVING = 2;

const bytes = (message: Buffer): Buffer => message;

/** A server by the library that most programs on Node use, which tells its health or does not. */
async function server(statusOf?: (service: string) => number | null) {
  const made = new Server();
  const deadlines: number[] = [];
  if (statusOf !== undefined) {
    const check = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    made.addService(
      { Check: check },
      {
        Check: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
          deadlines.push(Number(call.getDeadline()) - Date.now());
          const found = statusOf(call.request.subarray(2).toString());
          if (found === null) reply({ code: status.NOT_FOUND });
          else reply(null, Buffer.of(8, found));
        },
      },
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    made.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => made.forceShutdown());
  return { port, deadlines };
}

const pool = ({ port }: { readonly port: number }, grpcService = '') =>
  openPool([port], { protocol: 'h2c', healthCheck: { ...CHECK, grpcService } });

it('a server of gRPC is left out while it says that it serves not, and taken back', async () => {
  let found = NOT_SERVING;
  const asked = await server(() => found);
  const { usable, changes } = pool(asked);
  await expect.poll(usable, WAIT).toEqual([false]);
  found = SERVING;
  await expect.poll(usable, WAIT).toEqual([true]);
  expect(changes).toEqual(['unhealthy 0 NOT_SERVING', 'healthy 0 SERVING']);
  const [deadline] = asked.deadlines;
  expect(deadline).toBeGreaterThan(0);
  expect(deadline).toBeLessThanOrEqual(CHECK.timeoutMs);
});

it('is asked about the service that the configuration names', async () => {
  const one = await server((service) => (service === 'shop.Orders' ? SERVING : null));
  const [named, other] = [pool(one, 'shop.Orders'), pool(one, 'shop.Carts')];
  await expect.poll(other.usable, WAIT).toEqual([false]);
  expect(named.usable()).toEqual([true]);
  expect(other.changes).toEqual(['unhealthy 0 grpc-status 5']);
});

it('is left out where it does not tell its health', async () => {
  const { usable, changes } = pool(await server());
  await expect.poll(usable, WAIT).toEqual([false]);
  expect(changes).toEqual(['unhealthy 0 grpc-status 12']);
});
