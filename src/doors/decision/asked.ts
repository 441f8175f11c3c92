import type { TrustedProxies } from '../../http/client-address.ts';
import { parseHost } from '../../http/host.ts';
import type { BodyFraming, Peer, RequestHead } from '../../http/request-head.ts';
import { pathEnd } from '../../http/target.ts';
import type { RefusalReason } from '../../refusal.ts';

/** The request that a proxy, or a program, has and asks about. */
export interface Asked {
  readonly head: RequestHead;
  /** Whose request it is, as far as whoever asks has said so. */
  readonly peer: Peer;
}

/** Why it cannot be told what is asked about. `detail`: a fixed phrase, without a byte of it. */
export interface AskFault {
  readonly fault: RefusalReason;
  readonly detail: string;
  /** Of `method-refused`. */
  readonly allow?: readonly string[];
}

/** What questions are read by. */
export interface Asking {
  /** Those that may ask, and further proxies between them and the clients. */
  readonly proxies: TrustedProxies;
  /** Longest target that may be asked about, in bytes. */
  readonly targetBytes: number;
  /** The JWK set of the assertions; undefined: there are none. Null: it cannot be told now. */
  keySet(): string | null | undefined;
}

/** Reads one set of fields; looks at no other. */
type Reader = (outer: RequestHead, front: Peer, asking: Asking) => Asked | AskFault;

/** Reads the content in which a question stands. */
export type BodyReader = (
  outer: RequestHead,
  content: Buffer,
  front: Peer,
  asking: Asking,
) => Asked | AskFault;

const TWICE = 'a field that says what is asked about stands twice';
const BOTH = 'X-Original-URL stands beside X-Original-URI or X-Original-Host';
const NOT_SAID = 'a field that says what is asked about is missing';
const METHOD = 'the method that is asked about is no method';
const SCHEME = 'the scheme that is asked about is neither http nor https';
const URL_FORM = 'X-Original-URL is not a scheme, a host and a path';
const HOST = 'the host that is asked about is not a host';
const TARGET = 'the target that is asked about is not an unambiguous origin-form';
const TOO_LONG = 'the target that is asked about is too long';

const EXT_AUTHZ = '/ext-authz';
const METHOD_TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$/;
/** Nothing but a path may follow the authority: `?` and `#` there belong to no target. */
const ABSOLUTE = /^([a-z]+):\/\/([^/?#]+)(\/.*)$/;
const ELSEWHERE: BodyFraming = { kind: 'elsewhere' };
const NONE: readonly string[] = [];

/** How a question is read that came to this path; null: there is no such endpoint. */
export function readerFor(path: string): Reader | null {
  if (path === '/auth-request') return readOriginal;
  if (path === '/forward-auth') return readForwarded;
  return path.startsWith(`${EXT_AUTHZ}/`) ? readOwn : null;
}

const ORIGINAL = [
  'x-original-method',
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-original-forwarded-for',
] as const;

/** nginx, ingress-nginx, HAProxy. */
function readOriginal(outer: RequestHead, front: Peer, asking: Asking): Asked | AskFault {
  const said = onlyOnce(outer, ORIGINAL);
  if (said === null) return { fault: 'request-ambiguous', detail: TWICE };
  const [method, url, uri, host, client] = said;
  if (url === null)
    return askedAbout(
      outer,
      { method, host, target: uri, secure: front.secure, client },
      asking,
      front,
    );
  if (uri !== null || host !== null) return { fault: 'request-ambiguous', detail: BOTH };
  const [, scheme, authority, target] = ABSOLUTE.exec(url!) ?? [];
  if (scheme === undefined) return { fault: 'request-malformed', detail: URL_FORM };
  const secure = isSecure(scheme);
  if (secure === null) return { fault: 'request-malformed', detail: SCHEME };
  return askedAbout(
    outer,
    { method, host: authority!, target: target!, secure, client },
    asking,
    front,
  );
}

const FORWARDED = [
  'x-forwarded-method',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-uri',
  'x-forwarded-for',
] as const;

/** Traefik, Caddy. */
function readForwarded(outer: RequestHead, front: Peer, asking: Asking): Asked | AskFault {
  const said = onlyOnce(outer, FORWARDED);
  if (said === null) return { fault: 'request-ambiguous', detail: TWICE };
  const [method, scheme, host, target, client] = said;
  if (scheme === null) return { fault: 'request-malformed', detail: NOT_SAID };
  const secure = isSecure(scheme!);
  if (secure === null) return { fault: 'request-malformed', detail: SCHEME };
  return askedAbout(outer, { method, host, target, secure, client }, asking, front);
}

/** Envoy, whose question is the request itself, behind a prefix. The target gate has seen it. */
function readOwn(outer: RequestHead, front: Peer, asking: Asking): Asked | AskFault {
  const said = onlyOnce(outer, ['x-envoy-external-address']);
  if (said === null) return { fault: 'request-ambiguous', detail: TWICE };
  const head = headOf(
    outer,
    outer.method,
    outer.host,
    outer.target.slice(EXT_AUTHZ.length),
    outer.path.length - EXT_AUTHZ.length,
  );
  return { head, peer: clientOf(said[0]!, front.secure, asking, front) };
}

/** What a question says of a request. Null: it does not. */
interface Said {
  readonly method: string | null | undefined;
  readonly host: string | null | undefined;
  readonly target: string | null | undefined;
  readonly secure: boolean;
  /** Addresses, the nearest last. */
  readonly client: string | null | undefined;
}

/** Judges what is said as the door of the proxied APIs judges the same in a request. */
export function askedAbout(
  outer: RequestHead,
  { method, host, target, secure, client }: Said,
  asking: Asking,
  front: Peer,
): Asked | AskFault {
  if (!method || !host || !target) return { fault: 'request-malformed', detail: NOT_SAID };
  if (!METHOD_TOKEN.test(method)) return { fault: 'request-malformed', detail: METHOD };
  const authority = parseHost(host);
  if (authority === null) return { fault: 'request-malformed', detail: HOST };
  if (target.length > asking.targetBytes) return { fault: 'target-too-long', detail: TOO_LONG };
  const pathLength = pathEnd(target);
  if (pathLength === -1) return { fault: 'target-ambiguous', detail: TARGET };
  const head = headOf(outer, method, authority, target, pathLength);
  return { head, peer: clientOf(client ?? null, secure, asking, front) };
}

/**
 * The other fields are the client's as the proxy has passed them on, its token among them. Those of
 * the connection between the two, and the body, say nothing of it.
 */
function headOf(
  { names, values, authorization, userAgent }: RequestHead,
  method: string,
  host: string,
  target: string,
  pathLength: number,
): RequestHead {
  return {
    method,
    target,
    path: pathLength === target.length ? target : target.slice(0, pathLength),
    version: '1.1',
    host,
    names,
    values,
    authorization,
    userAgent,
    framing: ELSEWHERE,
    nominated: NONE,
    takesTrailers: false,
    upgrade: null,
    expectsContinue: false,
    keepAlive: true,
  };
}

function clientOf(list: string | null, secure: boolean, { proxies }: Asking, front: Peer): Peer {
  const address = list === null ? front.address : proxies.nearestStranger(list, front.address);
  // The proxy ends its clients' TLS: what they have shown there is not known here.
  return { address, port: 0, secure, certificate: null };
}

export function isSecure(scheme: string): boolean | null {
  if (scheme === 'https') return true;
  return scheme === 'http' ? false : null;
}

/** Their values, empty ones as if they were not there; null when one stands twice. */
function onlyOnce(
  { names, values }: RequestHead,
  wanted: readonly string[],
): readonly (string | null)[] | null {
  const found: (string | null)[] = wanted.map(() => null);
  for (let index = 0; index < names.length; index += 1) {
    const at = wanted.indexOf(names[index]!.lower);
    if (at === -1) continue;
    if (found[at] !== null) return null;
    found[at] = values[index]!;
  }
  for (let at = 0; at < found.length; at += 1) if (found[at] === '') found[at] = null;
  return found;
}
