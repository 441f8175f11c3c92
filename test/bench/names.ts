/** What is measured: the names that `--only` takes and `--json` prints. */
export const TARGETS = [
  'sallyport-buffered',
  'sallyport-beside',
  'sallyport-acknowledged',
  'nginx-plain',
  'nginx-lua-cached',
  'nginx-lua',
  'nginx-auth-request',
  'nginx-auth-request-cached',
  'haproxy',
  'caddy',
  'express-gateway',
  'hono-http-proxy-3',
  'sallyport-unchained',
  'sallyport-truncated',
  'sallyport-hashed',
  'sallyport-headers',
  'sallyport-decision',
  'nginx-lua-decision',
] as const;
export type TargetName = (typeof TARGETS)[number];

/** What parts of the record cost: `sallyport-buffered` but for one thing; only when named. */
export const VARIANTS: readonly TargetName[] = [
  'sallyport-unchained',
  'sallyport-truncated',
  'sallyport-hashed',
  'sallyport-headers',
];

/** The ratio that counts: how many times the processor time of a request through this project. */
export const YARDSTICK: TargetName = 'sallyport-buffered';

export const LOADS = [
  'mixed-plain',
  'mixed-tls',
  'get-128-plain',
  'get-128-tls',
  'get-64k-tls',
  'get-1m-tls',
  'post-4k-tls',
  'handshake-full',
  'handshake-resumed',
  'tokens-1000',
  'refusals-30',
] as const;
export type LoadName = (typeof LOADS)[number];

/** Questions of their own, about fewer targets: they run only when they are named. */
export const EXTRA_LOADS = [
  'latency-1600',
  'idle-memory',
  'idle-beside-load',
  'start-up',
  'decision',
  'grpc-unary',
  'h2-get-128',
  'ws-echo',
] as const;
export type ExtraLoadName = (typeof EXTRA_LOADS)[number];

export const QUICK_LOADS: readonly LoadName[] = [
  'mixed-plain',
  'mixed-tls',
  'get-128-plain',
  'get-128-tls',
  'get-64k-tls',
  'post-4k-tls',
];
export const QUICK_TARGETS: readonly TargetName[] = TARGETS.slice(0, 8);
/** Another checkout of this project (`--beside`); only there when it is named. */
export const BESIDE: TargetName = 'sallyport-beside';
/** What decides for an nginx that asks, without that nginx: only for the load `decision`. */
export const ASKED: readonly TargetName[] = ['sallyport-decision', 'nginx-lua-decision'];
export const DECISION_TARGETS: readonly TargetName[] = [YARDSTICK, ...ASKED];
/** Those whose idle connections and latency are worth the time. */
export const EXTRA_TARGETS: readonly TargetName[] = [
  'nginx-plain',
  'sallyport-buffered',
  'sallyport-acknowledged',
];
