import { Agent } from 'node:https';
import { expect, it } from 'vitest';
import { folder, newAuthority, writeCertificate } from '../../unit/tls/samples.ts';
import { call, type Seen, startTlsGate } from './gate.ts';

const RELOADS = 6;

it('takes another certificate, of another CA too, under load without a failed request', async () => {
  const authorities = [
    await newAuthority([{ dns: 'localhost' }], 'One'),
    await newAuthority([{ dns: 'localhost' }], 'Two'),
  ];
  const hosts = [{ dns: 'localhost' }];
  const pairs = await Promise.all(
    authorities.map((each, index) => writeCertificate(folder(), `pair-${index}`, each, { hosts })),
  );
  const ca = authorities.map(({ pem }) => pem);
  const { gate, reload } = await startTlsGate({ certificates: [pairs[0]!] });
  const seen: Seen[] = [];
  const failed: unknown[] = [];
  let going = true;
  const keptAlive = new Agent({ keepAlive: true, maxSockets: 2 });
  const load = async (agent?: Agent) => {
    while (going)
      await call(gate, { ca, ...(agent ? { agent } : {}) }).then(
        (answer) => seen.push(answer),
        (error) => failed.push(error),
      );
  };
  // New connections with full handshakes, resumed sessions, and connections that stand.
  const loads = [
    load(),
    load(),
    load(new Agent({ keepAlive: false })),
    load(keptAlive),
    load(keptAlive),
  ];
  for (let round = 1; round <= RELOADS; round += 1) {
    const enough = seen.length + 40;
    while (seen.length < enough && failed.length === 0)
      await call(gate, { ca }).then((answer) => seen.push(answer));
    reload({ certificates: [pairs[round % 2]!] });
    // The very next handshake shows the new one.
    const serials = [
      (await call(gate, { ca })).serial,
      (await call(gate, { ca: ca[round % 2]! })).serial,
    ];
    expect(serials[0]).toBe(serials[1]);
  }
  going = false;
  await Promise.all(loads);
  keptAlive.destroy();
  expect(failed).toEqual([]);
  expect(seen.filter(({ status }) => status !== 200)).toEqual([]);
  expect(new Set(seen.map(({ serial }) => serial)).size).toBeGreaterThanOrEqual(2);
});

it('keeps the certificate that it has when the new one is unfit, and goes on serving', async () => {
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const dir = folder();
  const hosts = [{ dns: 'localhost' }];
  const good = await writeCertificate(dir, 'good', authority, { hosts });
  const old = await writeCertificate(dir, 'old', authority, { hosts, fromDays: -9, toDays: -1 });
  const { gate, reload } = await startTlsGate({ certificates: [good] });
  const before = await call(gate, { ca: authority.pem });
  expect(() => reload({ certificates: [good, old] })).toThrow('expired');
  expect(await call(gate, { ca: authority.pem })).toEqual(before);
});
