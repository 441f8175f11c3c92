import { KEY_SET_PATH } from '../assertion/key-set-response.ts';
import { ROUTABLE } from '../http/method.ts';
import type { Route } from './route.ts';
import type { RouteMatch } from './route-table.ts';

/**
 * What `OPTIONS *` is about (RFC 9110 §9.3.7): the gate itself, and no service behind it. Whoever
 * is known may ask; it is answered here, and never passed on. Its name is none that a configured
 * route can have.
 */
export const WHOLE_SERVER: Route = {
  name: '*',
  host: '*',
  path: '*',
  methods: ['OPTIONS'],
  access: 'account',
  action: null,
  application: { from: 'any' },
  upstreamChecksApplications: false,
  permission: null,
  permissionTemplate: null,
  upstream: '',
  bodyVariables: [],
  bodyVariableBytes: 0,
  upgrade: [],
  bodyOn: [],
  stripPrefix: '',
  rewriteOrigin: [],
  caseInsensitive: false,
  cors: null,
  headers: null,
  acceptBareToken: false,
  acceptBasic: false,
  forwardAuthorization: false,
  audit: 'required',
  errors: 'problem',
  rateLimit: null,
};

/** The keys by which assertions are verified: told to everybody, by the gate itself. */
export const KEY_SET: Route = {
  ...WHOLE_SERVER,
  name: KEY_SET_PATH,
  path: KEY_SET_PATH,
  methods: ['GET', 'HEAD'],
  access: 'public',
};

export const WHOLE_SERVER_MATCH: RouteMatch = { kind: 'route', route: WHOLE_SERVER, variables: [] };

/** What `Allow` says of the gate as a whole. */
export const SERVER_METHODS: readonly string[] = ROUTABLE;
