/**
 * TCP keep-alive for every socket of ours, as `net` takes it: after a minute without a byte the
 * system asks whether the other end is still there. Balancers of clouds drop flows that were silent
 * for 240 to 350 s without telling anybody; whoever uses such a connection then waits for nothing.
 */
export const TCP_KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 60_000 } as const;
