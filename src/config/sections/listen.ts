import * as z from 'zod';
import { live } from '../reloading.ts';
import { file, flag, listenAddress, orNull, peer, whole } from '../values.ts';

const certificate = z.strictObject({
  certificateFile: file.describe('PEM file: the certificate, then its chain.'),
  keyFile: file.describe('PEM file: the private key of that certificate.'),
});

const serverTls = z.strictObject({
  certificates: live(
    z
      .array(certificate)
      .min(1, 'at least one certificate is needed')
      .max(64, 'at most 64 certificates')
      .describe(
        'One or more certificates; the name that the client asks for (SNI) chooses, the first is the default.',
      ),
  ),
  clientCaFile: live(
    orNull(
      file,
      'PEM file of CAs that vouch for clients: every client must present a certificate of one of them, unless `clientCertificates` says otherwise.',
    ),
  ),
  clientCertificates: live(
    orNull(
      z.enum(['none', 'optional', 'required']),
      'Whether clients are asked for a certificate, and must have one of `clientCaFile`. `optional` is for accounts that are bound to a certificate (`sallyport account bind`). Default: `required` with a `clientCaFile`, else `none`.',
    ),
  ),
});

const peers = z.array(peer).max(256, 'at most 256 entries').default([]);

const http2 = z
  .strictObject({
    enabled: flag(
      true,
      'Whether HTTP/2 is offered to clients: by ALPN over TLS, and to those that begin with it on a port with `plaintext: true`.',
    ),
    maxConcurrentStreams: whole(
      { min: 1, max: 1000, default: 100 },
      'Requests at the same time on one connection.',
    ),
    streamWindowBytes: whole(
      { min: 65_535, max: 16_777_216, default: 524_288 },
      'Content of one request that may come before its upstream has taken it, in bytes. The larger, the faster are uploads over long ways.',
    ),
    connectionWindowBytes: whole(
      { min: 65_535, max: 67_108_864, default: 1_048_576 },
      'The same of all requests of one connection together: so much memory it can take.',
    ),
  })
  .prefault({})
  .describe('HTTP/2 towards clients; counts from the next connection on.');

const proxy = z
  .strictObject({
    address: listenAddress(
      '0.0.0.0:8443',
      'Where the gate listens, `host:port`; port 0 takes any free port. Or a socket of this machine, `unix:/path`, without TLS: of mode 0660, for the user and the group of the gate.',
      true,
    ),
    trustedProxies: live(
      peers.describe(
        'Addresses or ranges of proxies in front of the gate (`unix`: whoever connects by its socket) that say whose call it is, and by which scheme and for which host it came. Default: none.',
      ),
    ),
    clientAddressFrom: live(
      z
        .enum(['forwarded', 'x-forwarded-for'])
        .default('x-forwarded-for')
        .describe(
          'The field in which the trusted proxies say it. The other one is ignored: the client can write what it likes there.',
        ),
    ),
    proxyProtocol: z
      .strictObject({
        peers: live(
          peers.describe(
            'Addresses or ranges of balancers (`unix`: whoever connects by the socket) whose connections begin with the PROXY protocol, version 1 or 2, and are closed if they do not. The address that it conveys is the client. Default: none.',
          ),
        ),
      })
      .prefault({})
      .describe('How a balancer that passes TCP on says whose connection it is.'),
    http2: live(http2),
    via: live(
      flag(
        true,
        'Whether the gate puts itself into `Via` (RFC 9110 §7.6.3), towards upstreams and clients. nginx compresses nothing for requests that bear it (gzip_proxied).',
      ),
    ),
    tls: orNull(serverTls, 'HTTPS, the only way to listen unless `plaintext: true` is said.'),
    plaintext: flag(
      false,
      'Plain HTTP: tokens are readable on the way. Only behind something on the same host that ends TLS; warned about at every start.',
    ),
  })
  .describe('The gate itself.');

const ops = z
  .strictObject({
    address: listenAddress(
      '127.0.0.1:9464',
      'Where /livez, /readyz and /metrics are served, plain HTTP.',
    ),
  })
  .describe('Health and metrics.');

const admin = z
  .strictObject({
    address: listenAddress(
      '127.0.0.1:9443',
      'Where the admin API and the console are served, HTTPS.',
    ),
    tls: live(
      orNull(serverTls, 'Certificates of the admin listener. Default: those of listen.proxy.'),
    ),
    foundTokens: flag(
      false,
      'Whether anybody who has found a token may hand it in at /api/v1/tokens/found, to take it out of use.',
    ),
  })
  .describe('Admin API and console.');

const decision = z
  .strictObject({
    address: listenAddress(
      '127.0.0.1:9444',
      'Where other proxies and programs ask whether a request may be made: `host:port`, or a socket of this machine, `unix:/path`.',
      true,
    ),
    peers: live(
      peers.describe(
        'Addresses or ranges (`unix`: whoever connects by the socket) of those that may ask, and are believed whose request it is; all others are closed unread. Without one the endpoint is not opened.',
      ),
    ),
    tls: orNull(
      serverTls,
      'HTTPS, the only way to listen beyond the loopback unless `plaintext: true` is said.',
    ),
    plaintext: flag(
      false,
      'Plain HTTP beyond the loopback: tokens are readable on the way from the proxy that asks. Warned about at every start.',
    ),
  })
  .describe('Decision endpoint, for proxies and programs that forward requests themselves.');

export const listenSection = z
  .strictObject({
    proxy: orNull(proxy, 'The gate itself.'),
    admin: orNull(admin, 'Admin API and console.'),
    ops: orNull(ops, 'Health and metrics.'),
    decision: orNull(
      decision,
      'Decision endpoint, for proxies and programs that forward requests themselves.',
    ),
  })
  .prefault({})
  .describe('What is opened. A listener that is not named here is not opened.');
