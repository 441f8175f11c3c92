import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export const CLIENT = { id: 'sallyport', secret: 'a secret that both sides know' } as const;

export interface Person {
  readonly sub: string;
  readonly preferred_username?: unknown;
  readonly groups?: unknown;
}

/**
 * An identity provider on the loopback. It is away until it is opened, and signs in whoever
 * `person` is at that moment; null = it refuses. With pages of its own it asks for a name (the
 * person's `sub`) and for consent instead.
 */
export interface TestIdentityProvider {
  readonly issuer: string;
  person: Person | null;
  /** `secret`: the one by which it knows us from now on. */
  open(redirectUri: string, secret?: string): void;
  /** Ends connections without an answer from now on, until it is opened again. */
  leave(): void;
  stop(): Promise<void>;
}

export async function startIdentityProvider({
  hasPages = false,
} = {}): Promise<TestIdentityProvider> {
  type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;
  let handler: Handler | null = null;
  const server = createServer((request, response) => {
    if (handler === null) request.socket.destroy();
    else handler(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const people = new Map<string, Person>();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const test: TestIdentityProvider = {
    issuer,
    person: null,
    open(redirectUri, secret = CLIENT.secret) {
      if (test.person !== null) people.set(test.person.sub, test.person);
      const common = configuration(redirectUri, secret, privateKey, people);
      const provider = new Provider(issuer, hasPages ? common : { ...common, ...WITHOUT_PAGES });
      const serve = provider.callback();
      handler = (request, response) => {
        if (hasPages || !request.url?.startsWith('/interaction/')) return serve(request, response);
        if (test.person === null)
          return provider.interactionFinished(request, response, { error: 'access_denied' });
        people.set(test.person.sub, test.person);
        return provider.interactionFinished(request, response, {
          login: { accountId: test.person.sub },
        });
      };
    },
    leave() {
      handler = null;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return test;
}

function configuration(
  redirectUri: string,
  secret: string,
  privateKey: KeyObject,
  people: ReadonlyMap<string, Person>,
): object {
  return {
    clients: [{ client_id: CLIENT.id, client_secret: secret, redirect_uris: [redirectUri] }],
    jwks: {
      keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'test' }],
    },
    cookies: { keys: ['only in tests'] },
    // Said so that the provider does not remark on its defaults, in seconds.
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'groups'],
    pkce: { required: () => true },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ ...people.get(sub), sub }),
    }),
  };
}

const WITHOUT_PAGES = {
  features: { devInteractions: { enabled: false } },
  interactions: {
    url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}`,
  },
  // Everything asked for is granted: what a person is asked there is no matter of ours.
  async loadExistingGrant(context: GrantContext) {
    const { provider, client, session } = context.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile groups');
    await grant.save();
    return grant;
  },
};

interface GrantContext {
  readonly oidc: {
    readonly provider: Provider;
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string };
  };
}

export interface Visited {
  readonly url: URL;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Where it leads, absolute; null when it leads nowhere. */
  readonly location: URL | null;
}

/**
 * As much of a browser as it takes to go to another site and back: cookies by origin, with
 * `SameSite`, and redirects one by one.
 */
export class WebBrowser {
  readonly #cookies = new Map<string, { readonly value: string; readonly strict: boolean }>();

  /** `from`: the origin whose page or redirect leads there; null = typed in. */
  visit(url: URL, from: string | null = null): Promise<Visited> {
    const isCross = from !== null && from !== url.origin;
    const cookies = [...this.#cookies].filter(
      ([key, { strict }]) => key.startsWith(`${url.origin} `) && !(isCross && strict),
    );
    const cookie = cookies
      .map(([key, { value }]) => `${key.slice(key.indexOf(' ') + 1)}=${value}`)
      .join('; ');
    const headers = {
      host: url.host,
      ...(cookie === '' ? {} : { cookie }),
      'sec-fetch-site': from === null ? 'none' : isCross ? 'cross-site' : 'same-origin',
      'sec-fetch-mode': 'navigate',
    };
    const options = {
      host: '127.0.0.1',
      port: url.port,
      path: `${url.pathname}${url.search}`,
      headers,
      agent: false,
    } as const;
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const sent = send({ ...options, rejectUnauthorized: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          this.#keep(url.origin, response.headers['set-cookie'] ?? []);
          const { location } = response.headers;
          resolve({
            url,
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
            location: location === undefined ? null : new URL(location, url),
          });
        });
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /**
   * Follows redirects from there, up to one that leads to `until`, which is answered and not
   * followed.
   */
  async follow(first: URL, until: (url: URL) => boolean, from: string | null = null): Promise<URL> {
    let [url, cameFrom] = [first, from];
    for (let hop = 0; hop < 12 && !until(url); hop += 1) {
      const { location, status, text } = await this.visit(url, cameFrom);
      if (location === null)
        throw new Error(`${url.href} leads nowhere: ${status} ${text.slice(0, 300)}`);
      [url, cameFrom] = [location, url.origin];
    }
    return url;
  }

  cookie(origin: string, name: string): string | undefined {
    return this.#cookies.get(`${origin} ${name}`)?.value;
  }

  #keep(origin: string, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(/;\s*/);
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const key = `${origin} ${name}`;
      if (value === '' || attributes.some((one) => /^max-age=0$/i.test(one)))
        this.#cookies.delete(key);
      else
        this.#cookies.set(key, {
          value,
          strict: attributes.some((one) => /^samesite=strict$/i.test(one)),
        });
    }
  }
}
