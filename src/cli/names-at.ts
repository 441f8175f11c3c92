import type { AccountKind } from '../account/model.ts';
import type { Administration } from '../admin/administration.ts';
import type { Config } from '../config/schema.ts';
import type { Named } from './completion-tree.ts';
import type { Place, Server, Store } from './place/place.ts';
import { whoRuns } from './who-runs.ts';

/**
 * Names of what there is, for somebody who is typing: only what reads names is loaded, which is a
 * third of what a command needs that could do anything.
 */
export async function namesAt(
  place: Place,
  kind: Exclude<Named, 'context'>,
  which: Which,
): Promise<readonly string[]> {
  const asked = place.server === null ? await askedInStore(place) : await askedOfServer(place);
  try {
    return await asked[kind](which);
  } finally {
    await asked.close();
  }
}

/** Which accounts; of all else there is so little that it is told whole. */
interface Which {
  readonly prefix: string;
  readonly most: number;
}

type Asked = Readonly<
  Record<Exclude<Named, 'context'>, (which: Which) => Promise<readonly string[]>>
> & { close(): Promise<void> };

interface TeamNames {
  readonly name: string;
  readonly applications: readonly string[];
}

/** The same kinds from wherever records are read. */
function askedBy(
  read: {
    accounts(kind: AccountKind, which: Which): Promise<readonly { readonly name: string }[]>;
    roles(): Promise<readonly { readonly name: string }[]>;
    teams(): Promise<readonly TeamNames[]>;
    instances(): Promise<readonly { readonly instance: string }[]>;
  },
  close: () => Promise<void>,
): Asked {
  const named = (items: readonly { readonly name: string }[]) => items.map(({ name }) => name);
  return {
    account: async (which) => named(await read.accounts('service', which)),
    user: async (which) => named(await read.accounts('user', which)),
    role: async () => named(await read.roles()),
    team: async () => named(await read.teams()),
    application: async () => (await read.teams()).flatMap(({ applications }) => applications),
    instance: async () => (await read.instances()).map(({ instance }) => instance),
    close,
  };
}

/** Roles or teams in one question, and questions: who has more of them is offered the first. */
const PAGE = { limit: 500, most: 4 } as const;

async function askedOfServer(place: Server): Promise<Asked> {
  const [{ ApiClient }, { connectionTo }] = await Promise.all([
    import('../admin/remote/api-client.ts'),
    import('./place/connection.ts'),
  ]);
  const client = new ApiClient(connectionTo(place));
  interface Page<Item> {
    readonly items: readonly Item[];
    readonly next?: string | null;
  }
  const all = async <Item>(path: string, limit?: number): Promise<readonly Item[]> => {
    const items: Item[] = [];
    let cursor: string | null = null;
    for (let pages = 0; pages < PAGE.most; pages += 1) {
      const query = { limit, cursor };
      const page: Page<Item> = await client.ask<Page<Item>>({ method: 'GET', path, query });
      items.push(...page.items);
      cursor = page.next ?? null;
      if (cursor === null) break;
    }
    return items;
  };
  return askedBy(
    {
      accounts: async (kind, { prefix, most }) => {
        const path = kind === 'service' ? '/service-accounts' : '/users';
        const query = { limit: most, ...(prefix === '' ? {} : { namePrefix: prefix }) };
        const request = { method: 'GET', path, query } as const;
        return (await client.ask<Page<{ readonly name: string }>>(request)).items;
      },
      roles: () => all('/roles', PAGE.limit),
      teams: () => all('/teams', PAGE.limit),
      instances: () => all('/instances'),
    },
    async () => client.close(),
  );
}

async function askedInStore(place: Store): Promise<Asked> {
  const { loadConfig, parseConfig } = await import('../config/load.ts');
  const { config } =
    place.config === null
      ? parseConfig('store: { kind: embedded }\n', 'sallyport.yaml')
      : loadConfig(place.config);
  return (await askedOfOwner(config)) ?? askedDirectly(config);
}

/** Null: no gate has the embedded store open. */
async function askedOfOwner({ store, instance }: Config): Promise<Asked | null> {
  if (store.kind !== 'embedded') return null;
  const { conversationWith } = await import('../admin/owner-conversation.ts');
  const owner = await conversationWith(instance.dataDir);
  if (owner === null) return null;
  const actor = whoRuns();
  const ask = <Name extends keyof Administration>(name: Name, query: object) =>
    owner.ask(name, actor, query) as ReturnType<Administration[Name]>;
  return askedBy(
    {
      accounts: async (kind, { prefix, most }) => {
        const query = { kind, limit: most, ...(prefix === '' ? {} : { namePrefix: prefix }) };
        return (await ask('listAccounts', query)).items;
      },
      roles: () => ask('listRoles', {}),
      teams: () => ask('listTeams', {}),
      instances: async () => (await ask('listInstances', {})).items,
    },
    async () => owner.close(),
  );
}

async function askedDirectly(config: Config): Promise<Asked> {
  const [{ openStores }, { UNFILTERED }, { systemClock: clock }] = await Promise.all([
    import('../admin/stores.ts'),
    import('../registry/listing/query.ts'),
    import('../clock.ts'),
  ]);
  const { store, close } = await openStores(config, { clock, create: false, note: () => {} });
  return askedBy(
    {
      accounts: async (kind, { prefix, most }) => {
        const narrowed = { kind, limit: most, namePrefix: prefix === '' ? null : prefix };
        const page = await store.list({ ...UNFILTERED, ...narrowed, nowMs: clock.wallMs() });
        return page.items.map(({ account }) => account);
      },
      roles: async () => (await store.snapshot()).roles,
      teams: async () => (await store.snapshot()).teams,
      instances: async () => (await store.instances()).items,
    },
    close,
  );
}
