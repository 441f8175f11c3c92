import { UsageError } from './exit.ts';
import { connectionTo } from './place/connection.ts';
import { placeOf, placeWords, type Server } from './place/place.ts';
import { turningFor } from './progress.ts';
import type { AskedOptions, Purpose, Reached, StoreOptions } from './reached.ts';
import { canAsk } from './terminal.ts';
import { whoRuns } from './who-runs.ts';

export type { Purpose, Reached, StoreOptions };

/**
 * From the command line's words to something that can be asked. What speaks to a store is loaded
 * where a store is asked, and what speaks to a server where a server is.
 */
async function reach(options: StoreOptions, purpose: Purpose): Promise<Reached> {
  const place = placeOf(options);
  if (place.server !== null) return reachServer(options, place);
  return (await import('./reach-store.ts')).reachStore(options, place, purpose);
}

async function reachServer({ routes }: StoreOptions, place: Server): Promise<Reached> {
  if (routes !== undefined)
    throw new UsageError('--routes is for a store: the gate of --server has its own');
  const connection = connectionTo(place);
  const { token } = connection;
  const { connectServer } = await import('../admin/remote/server-control.ts');
  const { control, close } = connectServer(connection);
  const actor = whoRuns();
  return { control, actor, config: null, place, token, close: async () => close() };
}

/** Opens what the options name, does the work, and closes it again whatever happens. */
export async function withReach<T>(
  options: StoreOptions & AskedOptions,
  purpose: Purpose,
  work: (reached: Reached) => Promise<T>,
): Promise<T> {
  const done = async () => {
    const reached = await reach(options, purpose);
    try {
      const held = options.withoutApproval === true ? await unapproved(reached) : reached;
      return await work(await looking(held, options));
    } finally {
      await reached.close();
    }
  };
  const words = `asking ${placeWords(placeOf(options))}`;
  return options.follow === true ? done() : turningFor(words, done);
}

/** Loaded only where somebody wants to see first what would be done. */
async function looking(reached: Reached, options: StoreOptions & AskedOptions): Promise<Reached> {
  const isShown = options.dryRun === true || options.replay !== undefined;
  if (!isShown && (options.yes === true || !canAsk())) return reached;
  const { previewed } = await import('./preview.ts');
  return previewed(reached, options);
}

/** Every operation is told that it needs no approval; those that need none take no notice. */
async function unapproved(reached: Reached): Promise<Reached> {
  const { administrationOf } = await import('../admin/administration.ts');
  const { WITHOUT_APPROVAL } = await import('../admin/schemas/inputs.ts');
  const { control } = reached;
  const administration = administrationOf(
    (name) => (actor, input) =>
      control.administration[name](actor, {
        ...(input as object),
        [WITHOUT_APPROVAL]: true,
      } as never),
  );
  return { ...reached, control: { ...control, administration } };
}
