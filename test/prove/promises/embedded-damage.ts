import { damageEmbedded } from '../../support/embedded-damage.ts';
import type { Finding } from '../promises.ts';

const DAMAGES = 54;
const ACCOUNTS = 4_096;
const SEED = Number(process.env.DAMAGE_SEED ?? 1);

/** `DAMAGE_SEED` makes other damages. */
export async function prove(): Promise<Finding> {
  const report = await damageEmbedded({ damages: DAMAGES, accounts: ACCOUNTS, seed: SEED });
  const { kinds, right, refused, wrong } = report;
  for (const line of wrong.slice(0, 100)) console.log(line);
  const parts = Object.entries(kinds).map(
    ([kind, found]) => `${kind}: ${found.refused} noticed, ${found.whole} harmless`,
  );
  for (const part of parts) console.log(part);
  const noticed = Object.values(kinds).reduce((sum, found) => sum + found.refused, 0);
  return {
    promise: 'no damage of an embedded registry reads as an account that is not there',
    kept: wrong.length === 0 && refused > 0 && right > 0,
    figures: `${DAMAGES} damages of ${Object.keys(kinds).length} kinds (bytes, cuts, log, file removed, old copies; closed and in use), ${noticed} of them noticed; among ${ACCOUNTS} accounts ${right} right answers, ${refused} refusals, ${wrong.length} wrong ones; seed ${SEED}`,
  };
}
