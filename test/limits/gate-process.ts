/** A gate in a process of its own, so that its limit on open files is nobody else's. */
import { type GatewayOptions, startGateway } from '../support/gateway.ts';

const gate = await startGateway(JSON.parse(process.argv[2]!) as GatewayOptions);
// Any message asks for the log.
process.on('message', () => process.send!(gate.log));
process.once('disconnect', () => {
  void gate.stop().finally(() => process.exit(0));
});
process.send!({ port: gate.port, token: gate.token, opsUrl: gate.opsUrl });
