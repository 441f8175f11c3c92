import type { LoadName } from './names.ts';

/** What the clients do. */
export interface Load {
  readonly name: LoadName;
  readonly secure: boolean;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Of the request; 0 = none. */
  readonly bodyBytes: number;
  readonly connections: number;
  /** A new connection for every request, or 64 that stay. */
  readonly handshake: 'none' | 'full' | 'resumed';
  /** Different tokens in turn. */
  readonly tokens: number;
  /** Requests of many kinds in turn (mixed.ts); method, path and body are theirs. */
  readonly mixed: boolean;
  /** How many of ten requests bear a token that nobody issued. */
  readonly refusedOfTen: number;
  /**
   * Requests per second at which latency is measured: well below what every peer can do but the
   * slowest.
   */
  readonly moderateRate: number;
  /**
   * Requests per second at which processor time is taken once more: as fast as it goes, the slower
   * target also pays less often for waking up. Null = only as fast as it goes.
   */
  readonly steadyRate: number | null;
}

const READ = '/lifetimeapi/rest/v2/applications/crm';

const USUAL = {
  secure: true,
  method: 'GET',
  path: `${READ}/versions`,
  bodyBytes: 0,
  connections: 64,
  handshake: 'none',
  tokens: 1,
  mixed: false,
  refusedOfTen: 0,
  moderateRate: 1600,
  steadyRate: 4000,
} as const satisfies Omit<Load, 'name'>;

const ALL: { readonly [Name in LoadName]: Partial<Load> } = {
  'mixed-plain': { secure: false, mixed: true, tokens: 1000 },
  'mixed-tls': { mixed: true, tokens: 1000 },
  'get-128-plain': { secure: false },
  'get-128-tls': {},
  'get-64k-tls': { path: `${READ}/64k`, moderateRate: 800, steadyRate: null },
  'get-1m-tls': { path: `${READ}/1m`, moderateRate: 60, steadyRate: null },
  'post-4k-tls': { method: 'POST', path: `${READ}/deployments`, bodyBytes: 4096 },
  'handshake-full': { handshake: 'full', connections: 16, moderateRate: 100, steadyRate: null },
  'handshake-resumed': {
    handshake: 'resumed',
    connections: 16,
    moderateRate: 100,
    steadyRate: null,
  },
  'tokens-1000': { tokens: 1000 },
  'refusals-30': { refusedOfTen: 3 },
};

export function loadOf(name: LoadName): Load {
  return { name, ...USUAL, ...ALL[name] };
}
