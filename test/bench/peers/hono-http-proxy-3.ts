import type { Peer } from './peer.ts';
import { startService } from './service/start.ts';

/** Hono and http-proxy-3, the libraries one would reach for. */
export const honoHttpProxy3: Peer = {
  name: 'hono-http-proxy-3',
  about: 'Hono on @hono/node-server, http-proxy-3 2.0.1',
  does: {
    verify: 'Redis, cached for 5 s',
    inject: 'yes',
    record: 'Redis stream, one event per call, at most 20 ms later',
  },
  missing: () => null,
  async start(stage, secure) {
    const { certificateFile, keyFile } = stage.certificate;
    const { port, child } = await startService(stage, 'hono-server.ts', {
      BENCH_UPSTREAM: `http://127.0.0.1:${stage.upstream.port}`,
      ...(secure ? { BENCH_CERTIFICATE: certificateFile, BENCH_KEY: keyFile } : {}),
    });
    return { port, pids: [child.pid], compiles: true, stop: () => child.stop() };
  },
};
