import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 200;

/** The amount, once there is one and it has not grown for a while. */
export async function settled(amount: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = amount();
    if (now === before && now > 0) return now;
    before = now;
    await sleep(LOOK_MS);
  }
}
