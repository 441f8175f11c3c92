import { setTimeout as sleep } from 'node:timers/promises';
import * as oidc from 'openid-client';
import { Agent, fetch } from 'undici';
import type { IdentityConfig } from '../../config/schema.ts';
import { systemNames } from '../../names/system.ts';
import type { Flow } from './flow.ts';

/** What the provider says about somebody. Nothing in it is believed before it is looked at. */
export interface Vouched {
  /** `issuer#sub`. */
  readonly subject: string;
  /** Claims of the ID token, completed by those of the userinfo endpoint. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * The provider cannot be reached, or answers what nobody can work with. Says nothing about the
 * person.
 */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway';
  /**
   * Whether the provider was asked just now: what is only remembered is not worth a line of the
   * log.
   */
  readonly wasAsked: boolean;

  constructor(why: string, { wasAsked }: { readonly wasAsked: boolean }) {
    super(why);
    this.wasAsked = wasAsked;
  }
}

/** The provider does not vouch for whoever came back, or what it said does not stand up. */
export class ProviderRefused extends Error {
  override readonly name = 'ProviderRefused';
}

/** Whoever is not signed in can make us ask the provider; not more often than this. */
const PROVIDER_LIMITS = {
  attempts: 3,
  pauseMs: 250,
  timeoutSeconds: 5,
  /** What was discovered is looked at anew after so long. */
  freshMs: 60 * 60_000,
  /** After it could not be discovered, so long is waited before it is asked again. */
  restMs: 2_000,
  exchanges: 16,
} as const;

/**
 * The identity provider as the OpenID Connect library speaks to it. It is asked at the first
 * sign-in and not at start: that it is away stops nobody but those who sign in by it.
 */
export class IdentityProvider {
  readonly #config: IdentityConfig;
  readonly #nowMs: () => number;
  #known: { readonly client: oidc.Configuration; readonly atMs: number } | null = null;
  #asking: Promise<oidc.Configuration> | null = null;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #exchanges = 0;

  /** `nowMs`: a monotonic clock. */
  constructor(config: IdentityConfig, nowMs: () => number) {
    this.#config = config;
    this.#nowMs = nowMs;
  }

  /** Where the browser goes. Throws `ProviderAway`. */
  async signInUrl(flow: Flow, redirectUri: string): Promise<URL> {
    const client = await this.#client();
    return oidc.buildAuthorizationUrl(client, {
      redirect_uri: redirectUri,
      scope: this.#config.scopes.join(' '),
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: 'S256',
    });
  }

  /**
   * Who came back to `callback`, with the parameters that the browser brought. Throws
   * `ProviderAway`, `ProviderRefused`.
   */
  async vouch(flow: Flow, callback: URL): Promise<Vouched> {
    if (this.#exchanges >= PROVIDER_LIMITS.exchanges) {
      throw new ProviderAway('too many people are signing in at this moment', { wasAsked: false });
    }
    this.#exchanges += 1;
    try {
      return await this.#exchange(await this.#client(), flow, callback);
    } catch (error) {
      throw judged(error);
    } finally {
      this.#exchanges -= 1;
    }
  }

  async #exchange(client: oidc.Configuration, flow: Flow, callback: URL): Promise<Vouched> {
    const tokens = await oidc.authorizationCodeGrant(client, callback, {
      pkceCodeVerifier: flow.verifier,
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      idTokenExpected: true,
    });
    const idToken = tokens.claims();
    // The library lets some providers speak for the issuers of all their customers; ours is one
    // issuer.
    if (idToken === undefined || idToken.iss !== client.serverMetadata().issuer)
      throw new ProviderRefused('the ID token has another issuer');
    const { roleClaim, nameClaim } = this.#config;
    const isComplete = Object.hasOwn(idToken, roleClaim) && Object.hasOwn(idToken, nameClaim);
    const more =
      isComplete || client.serverMetadata().userinfo_endpoint === undefined
        ? {}
        : await oidc.fetchUserInfo(client, tokens.access_token, idToken.sub);
    return { subject: `${idToken.iss}#${idToken.sub}`, claims: { ...more, ...idToken } };
  }

  async #client(): Promise<oidc.Configuration> {
    const nowMs = this.#nowMs();
    if (this.#known !== null && nowMs - this.#known.atMs < PROVIDER_LIMITS.freshMs)
      return this.#known.client;
    if (nowMs - this.#failedAtMs >= PROVIDER_LIMITS.restMs) {
      this.#asking ??= this.#discover().finally(() => {
        this.#asking = null;
      });
      try {
        return await this.#asking;
      } catch (error) {
        if (this.#known === null) throw error;
      }
    }
    // What was true an hour ago is better than nothing.
    if (this.#known !== null) return this.#known.client;
    throw new ProviderAway('the identity provider could not be reached a moment ago', {
      wasAsked: false,
    });
  }

  async #discover(): Promise<oidc.Configuration> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const client = await discovered(this.#config);
        this.#known = { client, atMs: this.#nowMs() };
        return client;
      } catch (error) {
        if (attempt === PROVIDER_LIMITS.attempts) {
          this.#failedAtMs = this.#nowMs();
          throw new ProviderAway(wordsOf(error), { wasAsked: true });
        }
        await sleep(PROVIDER_LIMITS.pauseMs * attempt);
      }
    }
  }
}

function discovered({
  issuer,
  clientId,
  clientSecret,
}: IdentityConfig): Promise<oidc.Configuration> {
  if (clientSecret === null) throw new TypeError('there is no identity.clientSecret');
  // Signatures of ID tokens are verified although they come over TLS from the provider itself.
  const execute = [
    oidc.enableNonRepudiationChecks,
    ...(issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []),
  ];
  return oidc.discovery(new URL(issuer), clientId, {}, authentication(clientSecret.reveal()), {
    execute,
    timeout: PROVIDER_LIMITS.timeoutSeconds,
    [oidc.customFetch]: fetchByNames,
  });
}

const agent = new Agent({ connect: { lookup: systemNames.lookup } });

/** The library's requests, to addresses that our own resolver has found. */
const fetchByNames: oidc.CustomFetch = (url, { body, signal, ...options }) =>
  fetch(url, { ...options, body: body ?? null, signal: signal ?? null, dispatcher: agent });

/**
 * `client_secret_basic` is what a provider knows that names nothing else (OpenID Connect Discovery
 * §3).
 */
function authentication(secret: string): oidc.ClientAuth {
  const [basic, post] = [oidc.ClientSecretBasic(secret), oidc.ClientSecretPost(secret)];
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? basic : post)(server, client, body, headers);
  };
}

/**
 * Faults of the answer itself. Whatever else goes wrong, goes wrong between us and the provider.
 */
const REFUSALS: readonly string[] = [
  'OAUTH_AUTHORIZATION_RESPONSE_ERROR',
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_PARSE_ERROR',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
];

function judged(error: unknown): ProviderAway | ProviderRefused {
  if (error instanceof ProviderAway || error instanceof ProviderRefused) return error;
  const { code } = error as { readonly code?: unknown };
  const isRefusal =
    error instanceof oidc.ResponseBodyError
      ? error.error === 'invalid_grant'
      : REFUSALS.includes(String(code));
  return isRefusal
    ? new ProviderRefused(wordsOf(error))
    : new ProviderAway(wordsOf(error), { wasAsked: true });
}

/**
 * For the log. Built from words of the library and of the standard alone: what hangs on its errors
 * holds codes and tokens.
 */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as { readonly code?: unknown };
  const why = error instanceof oidc.ResponseBodyError ? ` ${error.error.slice(0, 64)}` : '';
  return `${error.message}${typeof code === 'string' ? ` (${code}${why})` : ''}`;
}
