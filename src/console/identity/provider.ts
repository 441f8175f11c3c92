import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as oidc from 'openid-client';
import { Agent, fetch } from 'undici';
import type { IdentityConfig } from '../../config/schema.ts';
import type { Secret } from '../../config/secret.ts';
import { systemNames } from '../../names/system.ts';
import { ClientSecrets } from './client-secret.ts';
import type { Flow } from './flow.ts';
import {
  isUnknownClient,
  judged,
  ProviderAway,
  ProviderRefused,
  wordsOf,
} from './provider-faults.ts';

/** What the provider says about somebody. Nothing in it is believed before it is looked at. */
export interface Vouched {
  /** `issuer#sub`. */
  readonly subject: string;
  /** Claims of the ID token, completed by those of the userinfo endpoint. */
  readonly claims: Readonly<Record<string, unknown>>;
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
  /** Between two tries of a secret that has changed: doubling from the first. */
  trialFirstMs: 1_000,
  trialLongestMs: 60_000,
} as const;

/**
 * The identity provider as the OpenID Connect library speaks to it. It is asked at the first
 * sign-in and not at start: that it is away stops nobody but those who sign in by it.
 */
export class IdentityProvider {
  readonly #config: IdentityConfig;
  readonly #nowMs: () => number;
  readonly #secrets: ClientSecrets;
  /** One for each of our secrets. */
  readonly #clients = new Map<Secret, oidc.Configuration>();
  #known: { readonly client: oidc.Configuration; readonly atMs: number } | null = null;
  #trial: AbortController | null = null;
  #asking: Promise<oidc.Configuration> | null = null;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #exchanges = 0;

  /**
   * `nowMs`: a monotonic clock. `onNews`: something has changed in `pendingSecret`; must not throw.
   */
  constructor(config: IdentityConfig, nowMs: () => number, onNews: () => void = () => {}) {
    if (config.clientSecret === null) throw new TypeError('there is no identity.clientSecret');
    this.#config = config;
    this.#nowMs = nowMs;
    this.#secrets = new ClientSecrets(config.clientSecret, onNews);
  }

  /** Why a secret that has changed is not in use; null when there is none such. */
  get pendingSecret(): string | null {
    return this.#secrets.pending;
  }

  /** Takes over a secret that has rotated: tried at once, and until the provider knows it. */
  changeSecret({ clientSecret }: IdentityConfig): void {
    if (clientSecret === null || !this.#secrets.change(clientSecret)) return;
    this.#trial?.abort();
    this.#trial = new AbortController();
    void this.#tryNewest(this.#trial.signal);
  }

  close(): void {
    this.#trial?.abort();
  }

  async #tryNewest(stopped: AbortSignal): Promise<void> {
    for (
      let pauseMs: number = PROVIDER_LIMITS.trialFirstMs;
      !stopped.aborted && this.#secrets.pending !== null;
      pauseMs = Math.min(PROVIDER_LIMITS.trialLongestMs, pauseMs * 2)
    ) {
      const secret = this.#secrets.newest;
      const why = await this.#refusalOf(secret);
      if (why === null) this.#secrets.worked(secret);
      else {
        this.#secrets.refused(secret, why);
        await sleep(pauseMs, undefined, { signal: stopped, ref: false }).catch(() => {});
      }
    }
  }

  /**
   * Redeems a code that nobody has issued: a provider looks at the client first, so that it is the
   * code that is refused where it knows us. Null = it does.
   */
  async #refusalOf(secret: Secret): Promise<string | null> {
    try {
      const client = this.#as(secret, await this.#client());
      const unissued = {
        code: randomBytes(32).toString('base64url'),
        code_verifier: randomBytes(32).toString('base64url'),
        redirect_uri: this.#config.redirectUri ?? 'https://localhost/sign-in/callback',
      };
      await oidc.genericGrantRequest(client, 'authorization_code', unissued);
      return null;
    } catch (error) {
      if (isUnknownClient(error)) return 'the identity provider does not know us by it';
      if (error instanceof oidc.ResponseBodyError) return null;
      return error instanceof ProviderAway ? error.message : wordsOf(error);
    }
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
      return await this.#vouch(flow, callback);
    } catch (error) {
      throw judged(error);
    } finally {
      this.#exchanges -= 1;
    }
  }

  async #vouch(flow: Flow, callback: URL): Promise<Vouched> {
    const known = await this.#client();
    let refusal: unknown = null;
    for (const secret of this.#secrets.all) {
      try {
        const vouched = await this.#exchange(this.#as(secret, known), flow, callback);
        this.#secrets.worked(secret);
        return vouched;
      } catch (error) {
        if (!isUnknownClient(error)) throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }

  /** What was discovered, by another secret. */
  #as(secret: Secret, known: oidc.Configuration): oidc.Configuration {
    let client = this.#clients.get(secret);
    if (client !== undefined) return client;
    const { clientId, issuer } = this.#config;
    const { supportsPKCE: _, ...server } = known.serverMetadata();
    client = new oidc.Configuration(server, clientId, {}, authentication(secret.reveal()));
    client.timeout = PROVIDER_LIMITS.timeoutSeconds;
    client[oidc.customFetch] = fetchByNames;
    for (const adapt of manners(issuer)) adapt(client);
    const kept = this.#secrets.all;
    for (const former of this.#clients.keys())
      if (!kept.includes(former)) this.#clients.delete(former);
    this.#clients.set(secret, client);
    return client;
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
        const client = await discovered(this.#config, this.#secrets.newest);
        this.#clients.clear();
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

function discovered(
  { issuer, clientId }: IdentityConfig,
  secret: Secret,
): Promise<oidc.Configuration> {
  return oidc.discovery(new URL(issuer), clientId, {}, authentication(secret.reveal()), {
    execute: manners(issuer),
    timeout: PROVIDER_LIMITS.timeoutSeconds,
    [oidc.customFetch]: fetchByNames,
  });
}

/** Signatures of ID tokens are verified although they come over TLS from the provider itself. */
function manners(issuer: string) {
  return [
    oidc.enableNonRepudiationChecks,
    ...(issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []),
  ];
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

/** Sign-in by the identity provider: what is configured, and whoever speaks to it. */
export interface IdentityParts {
  readonly config: IdentityConfig;
  readonly provider: IdentityProvider;
}
