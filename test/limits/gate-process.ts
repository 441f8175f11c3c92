/** A gate in a process of its own, so that its limit on open files is nobody else's. */
import { join } from 'node:path';
import { parseConfig } from '../../src/config/load.ts';
import { type GatewayOptions, startGateway } from '../support/gateway.ts';

const gate = await startGateway(JSON.parse(process.argv[2]!) as GatewayOptions);
// `log` asks for the log; else it is keys of the upstream, and a reload.
process.on('message', (message: 'log' | Readonly<Record<string, unknown>>) => {
  if (message !== 'log') reload(message);
  process.send!(message === 'log' ? gate.log : 'reloaded');
});
process.once('disconnect', () => {
  void gate.stop().finally(() => process.exit(0));
});
process.send!({ port: gate.port, token: gate.token, opsUrl: gate.opsUrl });

function reload(keys: Readonly<Record<string, unknown>>): void {
  const tree = JSON.parse(gate.text) as { upstreams: { raw: Readonly<Record<string, unknown>> } };
  const changed = { ...tree, upstreams: { raw: { ...tree.upstreams.raw, ...keys } } };
  const file = join(gate.dataDir, 'test.yaml');
  gate.gateway.reload(parseConfig(JSON.stringify(changed), file).config);
}
