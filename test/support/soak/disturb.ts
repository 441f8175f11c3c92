import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { ask, ended, type Gate, readyAgain, startGate, waitUntil } from '../balanced/gate.ts';
import { keptCall } from '../balanced/kept-call.ts';
import type { SoakStage } from './stage.ts';

/** How long Redis is away at each restart. */
const AWAY_MS = 3000;

/** Writes a configuration with a new route, and waits until every gate serves it. */
export async function reload(stage: SoakStage, number: number): Promise<void> {
  stage.configure(number);
  const agent = new Agent({ ca: stage.ca });
  await everyGate(stage, `a gate serves configuration ${number}`, async ({ port }) => {
    const said = await keptCall(stage, port, 'GET', agent, `/v${number}/x`);
    return said === '200 done';
  });
}

/** Writes a new certificate, and waits until every gate shows it. */
export async function changeCertificate(stage: SoakStage): Promise<void> {
  const before = await Promise.all(stage.gates.map(({ port }) => shownBy(port, stage.ca)));
  await stage.renew();
  await everyGate(stage, 'a gate shows the new certificate', async ({ port }, n) => {
    const shown = await shownBy(port, stage.ca);
    return shown !== null && shown !== before[n];
  });
}

/** Ends Redis by SIGKILL, starts it again, and waits until it has all that was kept meanwhile. */
export async function restartRedis(stage: SoakStage): Promise<void> {
  await stage.redis.kill();
  await sleep(AWAY_MS);
  await stage.redis.restart();
  await everyGate(stage, 'Redis has what was in the spool', async ({ opsPort }) => {
    const { status } = await ask(opsPort, '/readyz');
    return status === 200 && (await metric(opsPort, 'sallyport_audit_spool_bytes')) === 0;
  });
}

/** One after the other, by SIGTERM; answers their exit codes. */
export async function restartGates(stage: SoakStage): Promise<readonly (number | null)[]> {
  const codes: (number | null)[] = [];
  for (const gate of stage.gates) {
    codes.push(await ended(gate.child));
    gate.child = startGate(gate.file);
    await readyAgain(gate);
    await waitUntil('the balancer has found the gate', stage.balanced);
  }
  return codes;
}

/** NaN where nobody says it. */
async function metric(opsPort: number, name: string): Promise<number> {
  const { body } = await ask(opsPort, '/metrics');
  const line = body.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

async function everyGate(
  stage: SoakStage,
  what: string,
  holds: (gate: Gate, n: number) => Promise<boolean>,
): Promise<void> {
  await Promise.all(stage.gates.map((gate, n) => waitUntil(what, () => holds(gate, n))));
}

/** The fingerprint of the certificate; null where nobody shows one that counts. */
function shownBy(port: number, ca: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', () => resolve(null)).once('close', () => resolve(null));
  });
}
