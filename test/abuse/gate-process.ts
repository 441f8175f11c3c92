/**
 * A gate in a process of its own, so that its memory and its descriptors are nobody else's. Its
 * options come as JSON; the rest is said by IPC.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type GatewayOptions, startGateway } from '../support/gateway.ts';

/**
 * What the gate logs is kept for tests that look at it; here nobody does, and it would look like a
 * leak.
 */
const FORGET_MS = 50;

// The collector on demand, without a flag on the command line: the gate runs as it does elsewhere.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const gate = await startGateway(JSON.parse(process.argv[2]!) as GatewayOptions);
setInterval(() => {
  (gate.log as string[]).length = 0;
}, FORGET_MS).unref();

/**
 * Any message asks how much is still in use when all garbage is gone; the second collection takes
 * what the first one's finalisers let go.
 */
process.on('message', () => {
  collect();
  setImmediate(() => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    process.send!({ inUseBytes: heapUsed + external });
  });
});
process.once('disconnect', () => {
  void gate.stop().finally(() => process.exit(0));
});
process.send!({ port: gate.port, token: gate.token });
