import { Cuts } from '../../src/audit/chain/cuts.ts';
import { type ChainKey, passingChainKey } from '../../src/audit/chain/key.ts';
import type { Cut, CutWitness } from '../../src/audit/chain/witness.ts';
import { systemClock } from '../../src/clock.ts';

/** Signs as an instance does that has no log of its own. */
export interface SigningWitness extends CutWitness {
  readonly key: ChainKey;
  /** Told of what has gone. */
  readonly cuts: Cut[];
}

export function signingWitness(instance: string): SigningWitness {
  const key = passingChainKey();
  const cuts: Cut[] = [];
  const signing = new Cuts({ outbox: { recordEnd() {} }, instance, clock: systemClock, key });
  return {
    key,
    cuts,
    sign: (stream, beforeMs) => signing.sign(stream, beforeMs),
    cut: (cut) => void cuts.push(cut),
  };
}
