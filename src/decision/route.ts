/** One route, compiled from the configuration. */
export interface Route {
  readonly name: string;
  /** Lower-cased host without port, or `*`. */
  readonly host: string;
  /** The path template as configured. */
  readonly path: string;
  /** Upper-case methods. Public routes: GET and HEAD. */
  readonly methods: readonly string[];
  readonly access: 'account' | 'public';
  /** Where the application stands: the name of a path variable, a fixed name, or any. */
  readonly application:
    | { readonly from: 'path'; readonly variable: string }
    | { readonly from: 'fixed'; readonly name: string }
    | { readonly from: 'any' };
  /** Null only for public routes. */
  readonly permission: string | null;
  readonly upstream: string;
  /** Whole literal segments removed from the front before forwarding (`/api`), or empty. */
  readonly stripPrefix: string;
  readonly caseInsensitive: boolean;
  readonly acceptBareToken: boolean;
  readonly forwardAuthorization: boolean;
  readonly audit: 'required' | 'best-effort';
  readonly errors: 'problem' | 'lifetime';
}
