/**
 * `npm run prove -- audit [WORD...]`: whatever can go wrong with the record, while calls are made.
 * After each run a checker joins what clients saw, what the upstream was sent, what the store holds
 * (read raw) and what was counted, and holds `audit verify` against it. Words choose scenes (by a
 * group, or a part of their name), stores and durabilities; one that means nothing lists them all.
 * What was found stands in docs/RELIABILITY.md; rows that were not made anew stay. `AUDIT_KILLS`,
 * `AUDIT_RATE` and `SEED` take the place of 34 kills in each setting (200 in all), 200 calls a
 * second, and 1.
 */

import { playSetting } from './audit/play.ts';
import { knownWords, type Setting, settingsOf } from './audit/settings.ts';
import { writeRows } from './audit/table.ts';

const words = process.argv.slice(2);
const settings = settingsOf(words);
const plan = {
  kills: Number(process.env.AUDIT_KILLS ?? 34),
  rate: Number(process.env.AUDIT_RATE ?? 200),
  seed: Number(process.env.SEED ?? 1),
};

if (settings.length === 0) {
  console.error(`nothing is called ${words.join(' ')}\n${knownWords()}`);
  process.exitCode = 2;
}
// Redis and the gates are ended with this process, and only an end of its own tells them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
for (const setting of settings)
  await one(setting).catch((fault: unknown) => {
    console.log(`NOT PLAYED: ${fault instanceof Error ? fault.stack : String(fault)}`);
    process.exitCode = 1;
  });

async function one(setting: Setting): Promise<void> {
  const { scene, store, durability } = setting;
  console.log(`== ${scene.name}, ${store}, ${durability}`);
  const { proven, faults } = await playSetting(setting, plan);
  for (const fault of faults.slice(0, 30)) console.log(`BROKEN: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  writeRows(setting, proven, faults.length);
}
