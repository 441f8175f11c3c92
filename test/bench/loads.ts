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
  /** How many of ten requests bear a token that nobody issued. */
  readonly refusedOfTen: number;
  /**
   * Requests per second at which latency is measured: well below what every peer can do but the
   * slowest.
   */
  readonly moderateRate: number;
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
  refusedOfTen: 0,
  moderateRate: 1600,
} as const satisfies Omit<Load, 'name'>;

const ALL: { readonly [Name in LoadName]: Partial<Load> } = {
  'get-128-plain': { secure: false },
  'get-128-tls': {},
  'get-64k-tls': { path: `${READ}/64k`, moderateRate: 800 },
  'get-1m-tls': { path: `${READ}/1m`, moderateRate: 60 },
  'post-4k-tls': { method: 'POST', path: `${READ}/deployments`, bodyBytes: 4096 },
  'handshake-full': { handshake: 'full', connections: 16, moderateRate: 100 },
  'handshake-resumed': { handshake: 'resumed', connections: 16, moderateRate: 100 },
  'tokens-1000': { tokens: 1000 },
  'refusals-30': { refusedOfTen: 3 },
};

export function loadOf(name: LoadName): Load {
  return { name, ...USUAL, ...ALL[name] };
}
