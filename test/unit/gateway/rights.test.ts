import { expect, it, onTestFinished } from 'vitest';
import { Rights } from '../../../src/gateway/rights.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { StoreUnavailable } from '../../../src/store/fault.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const forbidden = (code: string, words: string) =>
  new RegistryUnavailable('forbidden', words, {
    cause: new StoreUnavailable('forbidden', code, words),
  });

it('says what keeps administration from the registry, each once, and asks until nothing does', async () => {
  const answers = [
    forbidden('WRONGPASS', 'user or password is wrong'),
    forbidden('WRONGPASS', 'user or password is wrong'),
    new RegistryUnavailable('unreachable', 'away'),
    forbidden('NOPERM', 'a right is missing'),
    null,
  ];
  const said: string[] = [];
  const told: unknown[] = [];
  const log = createLog({ format: 'json', write: (line) => void said.push(JSON.parse(line).msg) });
  const rights: Rights = new Rights(
    {
      assertWritable: async () => {
        told.push(rights.result());
        const answer = answers.shift() ?? null;
        if (answer !== null) throw answer;
      },
    },
    log,
    1,
  );
  onTestFinished(() => rights.close());
  const wrong = 'listen.admin can change nothing: user or password is wrong';
  const lacks =
    'listen.admin can change nothing: the store user has no right to write the registry (use the user manager)';
  rights.start();
  await expect.poll(() => said.at(-1)).toBe('listen.admin can change the registry now');
  expect(said).toEqual([wrong, lacks, 'listen.admin can change the registry now']);
  const warning = (why: string) => ({ state: 'warning', why });
  const ok = { state: 'ok' };
  expect(told).toEqual([ok, warning(wrong), warning(wrong), warning(wrong), warning(lacks)]);
  expect(rights.result()).toEqual(ok);
});
