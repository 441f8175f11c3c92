import type { Random } from '../fuzz/random.ts';

/**
 * The fields that a client sends beside `Host`, `Authorization` and the length of a body, in its
 * own order and spelling: with those 9 to 14 in all.
 */
type Client = (random: Random, hasBody: boolean) => readonly string[];

const curl: Client = (random, hasBody) => [
  `User-Agent: curl/8.${random.below(15)}.0`,
  'Accept: application/json',
  'Accept-Encoding: deflate, gzip, br, zstd',
  `X-Correlation-Id: ${id(random)}`,
  `traceparent: ${trace(random)}`,
  'Cache-Control: no-cache',
  `X-Pipeline: build-${random.below(100_000)}`,
  ...contentType(hasBody, 'Content-Type: application/json'),
];

const go: Client = (random, hasBody) => [
  'User-Agent: deployer/2.4 Go-http-client/1.1',
  'Accept: application/json',
  ...contentType(hasBody, 'Content-Type: application/json'),
  `Traceparent: ${trace(random)}`,
  `Tracestate: vendor=${random.below(1_000_000)}`,
  `X-Request-Id: ${id(random)}`,
  `Idempotency-Key: ${id(random)}`,
  'X-Client-Version: 2.4.1',
  'Accept-Encoding: gzip',
];

const java: Client = (random, hasBody) => [
  'User-Agent: Java-http-client/21.0.4',
  'Accept: application/json, application/problem+json',
  'Accept-Language: en',
  ...contentType(hasBody, 'Content-Type: application/json;charset=UTF-8'),
  `X-B3-TraceId: ${digits(random, 32)}`,
  `X-B3-SpanId: ${digits(random, 16)}`,
  'X-B3-Sampled: 1',
  `X-Tenant: tenant-${random.below(40)}`,
  `If-None-Match: "${digits(random, 12)}"`,
  'Pragma: no-cache',
];

const python: Client = (random, hasBody) => [
  'User-Agent: python-requests/2.32.3',
  'Accept-Encoding: gzip, deflate',
  'Accept: */*',
  'Connection: keep-alive',
  ...contentType(hasBody, 'Content-Type: application/json'),
  `X-Job: nightly/${random.below(5000)}`,
  `X-Request-Id: ${id(random)}`,
  'X-Api-Version: 2026-10-01',
];

const browser: Client = (random, hasBody) => [
  'Connection: keep-alive',
  'Accept: application/json, text/plain, */*',
  'User-Agent: Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36',
  ...contentType(hasBody, 'Content-Type: application/json'),
  'Origin: https://portal.example.com',
  'Sec-Fetch-Site: same-site',
  'Sec-Fetch-Mode: cors',
  'Sec-Fetch-Dest: empty',
  `Referer: https://portal.example.com/orders/${random.below(100_000)}`,
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
];

export const CLIENTS: readonly Client[] = [curl, go, java, python, browser];

function contentType(hasBody: boolean, field: string): readonly string[] {
  return hasBody ? [field] : [];
}

function trace(random: Random): string {
  return `00-${digits(random, 32)}-${digits(random, 16)}-01`;
}

function id(random: Random): string {
  return [8, 4, 4, 4, 12].map((length) => digits(random, length)).join('-');
}

export function digits(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.below(16).toString(16)).join('');
}
