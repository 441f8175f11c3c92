import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { systemClock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import { withPublicOrigin } from '../forwarding/public-origin.ts';
import { responseFieldNames } from '../http/field-names.ts';
import { socketPathOf } from '../http/socket-address.ts';
import type { Finding } from '../store/redis-finding.ts';
import { clientContext, loadClientMaterial } from '../tls/client-material.ts';
import { serviceOf } from '../upstream/dialer.ts';

type Upstream = Config['upstreams'][number];
type Address = Upstream['addresses'][number];

/** Whom the probe says that it has called: a name that nobody has (RFC 2606). */
const PUBLIC_HOST = 'sallyport-check.invalid';
/** Of a body, so much is looked at. */
const LOOKED_AT_BYTES = 256 * 1024;

interface Answer {
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/**
 * Whether upstreams write their own name into what they answer: a client that follows such a link
 * goes around the gate, with its token. Each address is asked once, as a client's call would be
 * passed on, without a credential. What does not answer is left to the other checks.
 */
export async function findOwnLinks({ upstreams, routes }: Config): Promise<readonly Finding[]> {
  const found = upstreams.map(async (upstream) => {
    const ofRoutes = routes.filter((route) => route.upstream === upstream.name);
    const rewritten = ofRoutes.map(({ rewriteOrigin }) => new Set(rewriteOrigin));
    const asked = upstream.addresses.filter(({ host }) => serviceOf(host) === null);
    const each = asked.map(async (address) => {
      const answer = await ask(upstream, address).catch(() => null);
      const inEach = (origin: string) => rewritten.every((origins) => origins.has(origin));
      return answer === null ? [] : findingsIn(answer, upstream, address, inEach);
    });
    return (await Promise.all(each)).flat();
  });
  return (await Promise.all(found)).flat();
}

function findingsIn(
  { fields, body }: Answer,
  { name }: Upstream,
  address: Address,
  isRewritten: (origin: string) => boolean,
): readonly Finding[] {
  const origin = originOf(address);
  const server = `upstream ${name}`;
  const naming = fields.filter(([field, value]) => namesItself(field, value, origin));
  const findings: Finding[] = [];
  if (naming.length > 0 && !isRewritten(origin))
    findings.push({
      severity: 'note',
      server,
      found: `its answer names itself, ${origin}, in ${naming.map(([field]) => field).join(', ')}`,
      means: `Clients that follow the link go around the gate, with their token. ${TELL} Or list ${origin} in rewriteOrigin of its routes.`,
    });
  if (stands(origin, body.toLowerCase()))
    findings.push({
      severity: 'note',
      server,
      found: `its answer names itself, ${origin}, in the body`,
      means: `Clients that follow the link go around the gate, with their token. ${TELL} Bodies are never rewritten.`,
    });
  return findings;
}

/** Not as the beginning of another name or port. */
function stands(origin: string, text: string): boolean {
  for (let at = text.indexOf(origin); at !== -1; at = text.indexOf(origin, at + 1))
    if (!/[a-z0-9.:-]/.test(text.charAt(at + origin.length))) return true;
  return false;
}

const TELL =
  'Let it write the name that its clients call: host: preserve, and X-Forwarded-Host and -Proto, which it has to believe.';

function namesItself(field: string, value: string, origin: string): boolean {
  const name = responseFieldNames.get(field);
  if (name === null) return false;
  const head = { names: [name], values: [value] } as unknown as Parameters<
    typeof withPublicOrigin
  >[0];
  return withPublicOrigin(head, [origin], { scheme: 'https', host: PUBLIC_HOST }) !== head;
}

/** As `URL` writes it: without the port that the scheme implies. */
function originOf({ host, port, secure }: Address): string {
  if (socketPathOf(host) !== null) return 'http://localhost';
  const name = host.includes(':') ? `[${host}]` : host;
  return new URL(`${secure ? 'https' : 'http'}://${name}:${port}`).origin;
}

async function ask(upstream: Upstream, address: Address): Promise<Answer> {
  const { connectTimeoutMs: timeout } = upstream;
  const authority = new URL(originOf(address)).host;
  const host =
    upstream.host === 'preserve'
      ? PUBLIC_HOST
      : upstream.host === 'upstream'
        ? authority
        : upstream.host;
  const headers = {
    host,
    accept: '*/*',
    connection: 'close',
    'x-forwarded-host': PUBLIC_HOST,
    'x-forwarded-proto': 'https',
    forwarded: `for=unknown;proto=https;host=${PUBLIC_HOST}`,
  };
  const path = upstream.healthCheck?.path ?? '/';
  const socketPath = socketPathOf(address.host);
  const place = socketPath === null ? { host: address.host, port: address.port } : { socketPath };
  const options = { ...place, path, headers, timeout, agent: false };
  const signal = AbortSignal.timeout(2 * timeout);
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => void read(response).then(resolve, reject);
    const asked = address.secure
      ? requestHttps({ ...options, ...tlsOf(upstream), signal }, answered)
      : requestHttp({ ...options, signal }, answered);
    asked.once('timeout', () => asked.destroy(new Error('timeout')));
    asked.once('error', reject);
    asked.end();
  });
}

function tlsOf({ tls }: Upstream) {
  const material = loadClientMaterial(tls, systemClock.wallMs());
  return {
    secureContext: clientContext(material),
    rejectUnauthorized: material.verify,
    ...(material.serverName === null ? {} : { servername: material.serverName }),
  };
}

async function read(response: IncomingMessage): Promise<Answer> {
  const fields: [string, string][] = [];
  for (let index = 0; index + 1 < response.rawHeaders.length; index += 2)
    fields.push([response.rawHeaders[index]!, response.rawHeaders[index + 1]!]);
  let body = '';
  for await (const chunk of response) {
    body += (chunk as Buffer).toString('latin1');
    if (body.length > LOOKED_AT_BYTES) break;
  }
  return { fields, body };
}
