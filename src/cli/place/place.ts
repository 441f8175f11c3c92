import { existsSync } from 'node:fs';
import { DEV_CONFIG, DEV_DATA_DIR, hasDevFolder } from '../dev-folder.ts';
import { UsageError } from '../exit.ts';
import { type Context, readContexts } from './contexts-file.ts';
import { fromEnvironment, type TokenSource, tokenSourceOf } from './token-source.ts';

/** The options that say where the accounts are. */
export interface StoreOptions {
  readonly config?: string;
  readonly server?: string;
  readonly caFile?: string;
  readonly context?: string;
  /** The file whose routes count, where `config` is another one: who may look accounts up. */
  readonly routes?: string;
  /** The owner of the store makes a change without the approval that it needs. */
  readonly withoutApproval?: boolean;
  /** It goes on until it is told to end. */
  readonly follow?: boolean;
}

export type Place = Store | Server;

export interface Store {
  /** Null: `./data` holds a registry and no configuration. */
  readonly config: string | null;
  readonly server: null;
  readonly by: FoundBy;
}

export interface Server {
  readonly server: string;
  readonly caFile: string | null;
  readonly token: TokenSource;
  readonly by: FoundBy;
}

/** What named the place: options, a context that was asked for or is in use, or `./data`. */
export type FoundBy =
  | { readonly kind: 'options' | 'folder' }
  | { readonly kind: 'asked' | 'current'; readonly context: string };

const found = new WeakMap<StoreOptions, Place>();

/**
 * Where the accounts are: what options say, else the context that `--context`, SALLYPORT_CONTEXT or
 * `context use` names, else `./data`. Where a context is in use and `./data` is there as well,
 * nobody guesses. Looked for once for each command line. Throws `UsageError`.
 */
export function placeOf(options: StoreOptions): Place {
  const place = found.get(options) ?? find(options);
  found.set(options, place);
  return place;
}

function find(options: StoreOptions): Place {
  const { context, caFile } = options;
  const named = byOptions(options);
  if (named !== null && context !== undefined)
    throw new UsageError('either --context or --config and --server, not both');
  const place = named ?? byContext(context) ?? byFolder();
  if (caFile === undefined) return place;
  if (place.server === null) throw new UsageError('--ca-file is for --server');
  return { ...place, caFile };
}

function byOptions({ config, server }: StoreOptions): Place | null {
  const by = { kind: 'options' } as const;
  if (server === undefined) return config === undefined ? null : { config, server: null, by };
  if (config !== undefined)
    throw new UsageError(
      'either --config (the store itself) or --server (a running gate), not both',
    );
  return { server, caFile: null, token: fromEnvironment(), by };
}

function byContext(option: string | undefined): Place | null {
  const asked = option ?? (process.env.SALLYPORT_CONTEXT || undefined);
  const { current, contexts } = readContexts();
  const name = asked ?? current;
  if (name === null) return null;
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context === undefined)
    throw new UsageError(
      `there is no context ${name}: "sallyport context list" shows those there are`,
    );
  if (asked === undefined && hasDevFolder())
    throw new UsageError(
      `which store? The context ${name} is in use and there is a ./${DEV_DATA_DIR} here: say --context ${name}, or --config ${DEV_CONFIG}`,
    );
  return placeIn(name, context, asked === undefined ? 'current' : 'asked');
}

function placeIn(name: string, context: Context, kind: 'asked' | 'current'): Place {
  const by = { kind, context: name };
  return 'config' in context
    ? { config: context.config, server: null, by }
    : {
        server: context.server,
        caFile: context.caFile ?? null,
        token: tokenSourceOf(name, context),
        by,
      };
}

function byFolder(): Place {
  if (!hasDevFolder())
    throw new UsageError(
      `which store? There is no ./${DEV_DATA_DIR} here: name a configuration file with --config, a running gate with --server, or a context with --context`,
    );
  const config = existsSync(DEV_CONFIG) ? DEV_CONFIG : null;
  return { config, server: null, by: { kind: 'folder' } };
}

/** For people, without secrets: `production (https://gate.example:9443)`. */
export function placeWords(place: Place): string {
  const where = place.server ?? place.config ?? `./${DEV_DATA_DIR}`;
  return 'context' in place.by ? `${place.by.context} (${where})` : where;
}
