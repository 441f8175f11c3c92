import { connectRaw, type RawClient, type RawClientOptions } from './raw-client.ts';

/** What one connection brought back. */
export interface Answered {
  readonly text: string;
  /** Of all heads in it, interim ones included. */
  readonly statuses: readonly number[];
  /** `reason` of the first refusal of ours, or null. */
  readonly reason: string | null;
  readonly closed: boolean;
}

/**
 * Longest quiet after an answer on a connection that stays open: whatever was still to come would
 * have come.
 */
const QUIET_MS = 300;
/**
 * How long nothing at all may come: a request that was understood as incomplete is waited for no
 * longer.
 */
const SILENCE_MS = 3_000;
/**
 * Time is counted in looks, of which a machine that stands still costs one at most: the gate is in
 * this process, and says nothing meanwhile.
 */
const LOOK_MS = 50;

/**
 * Sends the pieces on a connection of their own and listens until the gate closes it, or has
 * nothing more to say.
 */
export async function converse(
  options: RawClientOptions,
  pieces: readonly Buffer[],
  silenceMs = SILENCE_MS,
): Promise<Answered> {
  const client = await connectRaw(options);
  try {
    await client.send(...pieces);
    await settled(client, silenceMs);
    return answered(client);
  } finally {
    client.close();
  }
}

function answered(client: RawClient): Answered {
  const text = client.bytes.toString('latin1');
  return {
    text,
    statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])),
    reason: /"reason":"([a-z-]+)"/.exec(text)?.[1] ?? null,
    closed: client.closed !== 'open',
  };
}

function settled(client: RawClient, silenceMs: number): Promise<void> {
  if (client.closed !== 'open') return Promise.resolve();
  return new Promise((resolve) => {
    let leftMs = client.bytes.length > 0 ? QUIET_MS : silenceMs;
    const timer = setInterval(() => {
      leftMs -= LOOK_MS;
      if (leftMs <= 0) done();
    }, LOOK_MS);
    function done(): void {
      clearInterval(timer);
      resolve();
    }
    client.socket.on('data', () => {
      leftMs = QUIET_MS;
    });
    for (const end of ['end', 'error', 'close']) client.socket.on(end, done);
  });
}

/** Runs `work` over all items, `lanes` at a time, in order within what a lane takes. */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T, index: number) => Promise<void>,
) {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) await work(items[index]!, index);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
