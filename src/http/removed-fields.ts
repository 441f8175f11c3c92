import { HOP_BY_HOP } from './hop-by-hop.ts';

/**
 * Fields of a request that end at the gate, whatever their case and order. Who is calling, from
 * where and by which way is for us to say, in names of our own; a client that says it in a name
 * that some server or framework believes must not be believed there.
 */

/** Of a request, this connection's business only, or written anew. */
const NOT_PASSED_ON = [
  ...HOP_BY_HOP,
  'expect',
  'host',
  'http2-settings',
  'proxy-authorization',
] as const;

/** Method and trace: set or decided here. */
const OURS = [
  'traceparent',
  'tracestate',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-request-id',
] as const;

/** From where: what proxies and content networks call the client's address. */
const ADDRESS = [
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'client-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'forwarded',
  'forwarded-for',
  'proxy-client-ip',
  'true-client-ip',
  'wl-proxy-client-ip',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-forward-for',
  'x-forwarded',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-vercel-forwarded-for',
] as const;

/** Through what: `Proxy` becomes `HTTP_PROXY` in CGI (CVE-2016-5385); scheme, host and prefix. */
const WAY = [
  'front-end-https',
  'proxy',
  'x-host',
  'x-http-host-override',
  'x-scheme',
  'x-script-name',
  'x-url-scheme',
] as const;

/** Who: what CGI, single sign-on proxies and TLS terminators call the caller. */
const IDENTITY = [
  'auth-type',
  'auth-user',
  'ssl-client-cert',
  'x-arr-clientcert',
  'x-authenticated-user',
  'x-client-cert',
  'x-client-dn',
  'x-client-verify',
  'x-userinfo',
] as const;

const PREFIXES = [
  'cf-access-',
  'client-cert',
  'remote-',
  'ssl-client-',
  'tailscale-user-',
  'x-account-',
  'x-amzn-oidc-',
  'x-auth-request-',
  'x-authentik-',
  'x-consumer-',
  'x-envoy-',
  'x-forwarded-',
  'x-goog-authenticated-',
  'x-goog-iap-',
  'x-ms-client-principal',
  'x-original-',
  'x-pomerium-',
  'x-remote-',
  'x-rewrite-',
  'x-ssl-client-',
  'x-webauth-',
] as const;

const REMOVED = new Set<string>([...NOT_PASSED_ON, ...OURS, ...ADDRESS, ...WAY, ...IDENTITY]);

/** @param lower a field name in lower case */
export function isRemoved(lower: string): boolean {
  return isListed(lower) || isListed(plainly(lower));
}

function isListed(lower: string): boolean {
  return REMOVED.has(lower) || PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/**
 * `X--Account--Id` and `-Forwarded-` look like ours to whoever folds runs of hyphens, or reads a
 * list of fields in a hurry.
 */
function plainly(lower: string): string {
  const single = lower.replace(/-{2,}/g, '-').replace(/^-/, '');
  const trimmed = single.replace(/-$/, '');
  return REMOVED.has(trimmed) ? trimmed : single;
}
