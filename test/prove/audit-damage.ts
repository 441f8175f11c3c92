/**
 * `npm run prove -- audit-damage [COUNT] [SEED]`: damages COUNT verified logs (default 2,000), each
 * in one way, all ways in turn; each damage must be found and named rightly. As many logs that
 * nobody has damaged must show nothing. The same SEED makes the same logs; without one it is drawn.
 */

import { randomInt } from 'node:crypto';
import { DAMAGES } from '../unit/audit/verify/damage.ts';
import { foundInSound, overlooked } from '../unit/audit/verify/judge.ts';

const [count = 2000, seed = randomInt(1_000_000)] = process.argv.slice(2).map(Number);
const missed = new Map<string, number>();
let alarms = 0;

console.log(`seed ${seed}`);
for (let run = 0; run < count; run += 1) {
  const damage = DAMAGES[run % DAMAGES.length]!;
  const fault = overlooked(seed + run, damage);
  if (fault !== null) {
    missed.set(damage.name, (missed.get(damage.name) ?? 0) + 1);
    console.log(`OVERLOOKED: ${damage.name}, ${fault}`);
  }
  const found = foundInSound(seed + run);
  if (found.length > 0) {
    alarms += 1;
    console.log(`FALSE ALARM: seed ${seed + run}: ${JSON.stringify(found)}`);
  }
}
for (const { name } of DAMAGES) {
  const runs = Math.ceil((count - DAMAGES.findIndex((one) => one.name === name)) / DAMAGES.length);
  console.log(`${name}: ${runs - (missed.get(name) ?? 0)} of ${runs} found and named`);
}
console.log(`false alarms in ${count} logs that nobody has damaged: ${alarms}`);
if (missed.size + alarms > 0) process.exitCode = 1;
