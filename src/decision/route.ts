import type { PermissionTemplate } from '../account/permission-template.ts';
import type { JsonPointer } from '../config/json-pointer.ts';
import type { HeaderChange } from '../config/sections/headers.ts';
import type { RateLimit } from '../limits/rate-limit.ts';

/** What the gate tells browsers (the Fetch standard's CORS protocol); never `Allow-Credentials`. */
export interface CorsRule {
  /** As browsers send them, in full. */
  readonly origins: readonly string[];
  /** Request headers that pages may set, beside `Authorization` where the route takes tokens. */
  readonly headers: readonly string[];
  readonly maxAgeSeconds: number;
}

/** One route, compiled from the configuration. */
export interface Route {
  readonly name: string;
  /** Lower-cased host without port (IPv6 in brackets), `*.` and a name, or `*`. */
  readonly host: string;
  /** The path template as configured; its grammar is in config/path-template.ts. */
  readonly path: string;
  /** Upper-case methods. Public routes: GET and HEAD. */
  readonly methods: readonly string[];
  readonly access: 'account' | 'public';
  /**
   * What the gate does instead of passing the call on: exchanges the token of the caller for a new
   * one. Whoever is known may; permission and application mean nothing. Null: the call is
   * forwarded.
   */
  readonly action: 'renew-token' | null;
  /**
   * Where the application stands: a variable of the path or the body, a fixed name, any, or some.
   */
  readonly application:
    | { readonly from: 'path' | 'body'; readonly variable: string }
    | { readonly from: 'fixed'; readonly name: string }
    | { readonly from: 'some' }
    | { readonly from: 'any' };
  /** Of `some`: unsafe methods are let in, because the service judges the application itself. */
  readonly upstreamChecksApplications: boolean;
  /** As written, variables in it too. Null only for public routes and actions. */
  readonly permission: string | null;
  /** Of a permission with variables. Null: it has none. */
  readonly permissionTemplate: PermissionTemplate | null;
  /** Its name; empty for actions. */
  readonly upstream: string;
  /** Variables whose values stand in the body, which is then read before the decision. */
  readonly bodyVariables: readonly BodyVariable[];
  /** The largest body that is read for them, in bytes. */
  readonly bodyVariableBytes: number;
  /** Methods beside POST, PUT and PATCH with which a body is taken. Public routes: none. */
  readonly bodyOn: readonly string[];
  /** Protocols, in lower case, to which its GET requests may change their connection. */
  readonly upgrade: readonly string[];
  /** Whole literal segments removed from the front before forwarding (`/api`), or empty. */
  readonly stripPrefix: string;
  /**
   * The upstream does not tell letters by their case: literal segments match in any case, and an
   * application in the path is the one that the registry knows in another spelling.
   */
  readonly caseInsensitive: boolean;
  /** Links of the upstream with these origins become links to the gate. */
  readonly rewriteOrigin: readonly string[];
  /** Pages of these origins may call the route from a browser. */
  readonly cors: CorsRule | null;
  readonly acceptBareToken: boolean;
  /** Takes the token as the password of Basic, too, and challenges for it. */
  readonly acceptBasic: boolean;
  readonly forwardAuthorization: boolean;
  /** What is set on its requests, and taken off them, beside what the upstream says. */
  readonly headers: HeaderChange | null;
  readonly audit: 'required' | 'best-effort';
  readonly errors: 'problem' | 'lifetime';
  readonly rateLimit: RateLimit | null;
}

/** A variable of a route whose value stands in the body of its requests. */
export interface BodyVariable {
  readonly name: string;
  readonly json: JsonPointer;
}
