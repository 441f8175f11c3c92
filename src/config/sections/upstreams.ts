import * as z from 'zod';
import { pathEnd } from '../../http/target.ts';
import {
  file,
  flag,
  isHost,
  NAME_PATTERN,
  orNull,
  parseHostPort,
  SOCKET_ADDRESS,
  whole,
} from '../values.ts';
import { upstreamAssertion } from './assertion.ts';
import { headers } from './headers.ts';

export interface UpstreamAddress {
  readonly secure: boolean;
  /**
   * IP address without brackets, or host name; lower case. Or `unix:` and the path of a socket, or
   * `srv:` and the name of a service.
   */
  readonly host: string;
  /** 0 of a socket and of a service, whose records tell it. */
  readonly port: number;
}

const ADDRESS = /^(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/;

/** RFC 2782: `_service._protocol.name`. */
const SERVICE = /^srv\+(https?):\/\/(_[A-Za-z0-9-]{1,62}\._tcp\.([A-Za-z0-9._-]+))$/;

/**
 * `http://host`, `https://host:port`: scheme, host and port, nothing else. Or `unix:/path`, or
 * `srv+http://_http._tcp.name`.
 */
function parseAddress(text: string): UpstreamAddress | null {
  if (SOCKET_ADDRESS.test(text)) return { secure: false, host: text, port: 0 };
  const service = SERVICE.exec(text);
  if (service !== null)
    return isHost(service[3]!)
      ? { secure: service[1] === 'https', host: `srv:${service[2]!.toLowerCase()}`, port: 0 }
      : null;
  const match = ADDRESS.exec(text);
  if (match === null) return null;
  const secure = match[1] === 'https';
  const parsed = parseHostPort(`${match[2]}:${match[3] ?? (secure ? 443 : 80)}`);
  return parsed === null || parsed.port === 0 ? null : { secure, ...parsed };
}

const address = z.string().transform((text, context): UpstreamAddress => {
  const parsed = parseAddress(text);
  if (parsed !== null) return parsed;
  context.issues.push({
    code: 'custom',
    input: text,
    message:
      'expected scheme, host and port only, such as http://10.0.0.7:8080 (no path, no trailing slash, no user), a socket such as unix:/run/app.sock, or a service such as srv+http://_http._tcp.app.internal',
  });
  return z.NEVER;
});

/** `preserve`, `upstream` or a fixed `host` or `host:port`. */
const host = z
  .string()
  .refine(
    (text) => isHost(text) || (parseHostPort(text)?.port ?? 0) > 0,
    'expected preserve, upstream, or a host name',
  );

const upstreamTls = z.strictObject({
  caFile: orNull(
    file,
    'PEM file of CAs that may have signed the upstream certificate, instead of the system ones.',
  ),
  serverName: orNull(
    z.string().refine(isHost, 'expected a host name'),
    'Name to ask for (SNI) and to find in the certificate, where it is not the host of the address.',
  ),
  certificateFile: orNull(file, 'PEM file: our client certificate.'),
  keyFile: orNull(file, 'PEM file: its private key.'),
  verify: flag(
    true,
    'Whether the upstream certificate is verified. `false` is warned about at every start.',
  ),
});

const ejection = z.strictObject({
  afterFailures: whole(
    { min: 1, max: 1000, default: 5 },
    'Exchanges in a row that fail (reset, broken, silent) before an address is left out. A connection that cannot be made is enough by itself.',
  ),
  baseMs: whole(
    { min: 100, max: 3_600_000, default: 2000 },
    'How long it is left out, in milliseconds; twice as long each time that it still fails.',
  ),
  maxMs: whole({ min: 100, max: 3_600_000, default: 60_000 }, 'How long at most, in milliseconds.'),
  countServerErrors: flag(false, 'Whether answers 502, 503 and 504 count as failures.'),
});

const healthCheck = z.strictObject({
  path: orNull(
    z
      .string()
      .max(2048)
      .refine(
        (text) => pathEnd(text) !== -1,
        'expected a path that begins with / and is written in one way only',
      ),
    'What is asked for, by GET. Any status below 400 is healthy. Either this or grpcService.',
  ),
  grpcService: orNull(
    z.string().regex(/^[A-Za-z0-9._/-]{0,120}$/, 'expected the name of a service of gRPC'),
    'The service that a server of gRPC is asked about by grpc.health.v1.Health/Check; empty: the server as a whole. SERVING is healthy. Needs protocol h2 or h2c.',
  ),
  intervalMs: whole(
    { min: 100, max: 3_600_000, default: 10_000 },
    'Time between two checks of an address, in milliseconds.',
  ),
  timeoutMs: whole(
    { min: 10, max: 120_000, default: 2000 },
    'Time for one check, connection included, in milliseconds.',
  ),
  unhealthyAfter: whole(
    { min: 1, max: 100, default: 3 },
    'Failed checks in a row before an address is left out.',
  ),
  healthyAfter: whole(
    { min: 1, max: 100, default: 2 },
    'Passed checks in a row before it is used again.',
  ),
});

const upstream = z.strictObject({
  addresses: z
    .array(address)
    .min(1, 'at least one address is needed')
    .max(64, 'at most 64 addresses')
    .describe(
      'Where the service runs: `http://host:port` or `https://host:port`, all of one scheme; `unix:/path` of a socket on this machine, spoken to without TLS; or `srv+http://_http._tcp.name` (or `srv+https`) for the servers that SRV records name, by their priority and weight.',
    ),
  host: host
    .default('preserve')
    .describe(
      "Host header towards the upstream: the client's (`preserve`), the address's (`upstream`), or a fixed name.",
    ),
  tls: orNull(
    upstreamTls,
    'TLS towards the upstream; only with https addresses. The certificate is verified unless said otherwise.',
  ),
  protocol: z
    .enum(['http1', 'h2', 'h2c'])
    .default('http1')
    .describe(
      'How it is spoken to: `http1`; `h2` (HTTP/2 by TLS and ALPN, https addresses only); `h2c` (HTTP/2 without TLS, http addresses only). gRPC needs HTTP/2.',
    ),
  headers: orNull(
    headers,
    'Fields set on every request to it, health checks included, and taken off them: for a service that wants a credential of its own.',
  ),
  connectTimeoutMs: whole(
    { min: 1, max: 120_000, default: 2000 },
    'Time for a connection to be made, TLS included, in milliseconds.',
  ),
  responseTimeoutMs: whole(
    { min: 1, max: 86_400_000, default: 300_000 },
    'Longest silence of an upstream that owes us a response, in milliseconds.',
  ),
  streamIdleTimeoutMs: orNull(
    z.int().min(1).max(86_400_000),
    'Longest silence within a response that has begun, in milliseconds: of streams of events, long polls, gRPC. With HTTP/2 also of both sides of a call together. Default: responseTimeoutMs.',
  ),
  maxConnections: whole(
    { min: 1, max: 65_535, default: 512 },
    'Connections to each of its addresses, idle and busy together, of each worker. With HTTP/2, where one connection carries many calls, calls under way.',
  ),
  maxConnectionAgeMs: whole(
    { min: 1000, max: 86_400_000, default: 300_000 },
    'How long one connection serves at most, in milliseconds, give or take a tenth; an exchange under way is ended first. So a service that moved behind its name or its balancer is followed.',
  ),
  ejection: ejection
    .prefault({})
    .describe('When an address that fails is left out for a while. If all fail, all are used.'),
  healthCheck: orNull(
    healthCheck,
    'Asks every address again and again whether it is well. Off unless it is given.',
  ),
  assertion: orNull(
    upstreamAssertion,
    'Tells it who calls in X-Account-Assertion, a signed JWT. Without a key to sign it with, calls are refused. Default: the field is not sent.',
  ),
});

export const upstreamsSection = z
  .record(z.string().regex(NAME_PATTERN, 'not a valid name'), upstream)
  .default({})
  // A list, so that nobody looks names up in an object whose prototype also answers to
  // `constructor`.
  .transform((upstreams) => Object.entries(upstreams).map(([name, rest]) => ({ name, ...rest })))
  .describe('The services behind the gate, by name.');
