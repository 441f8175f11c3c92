/**
 * By what the busiest are told: calls, refusals, bytes, or how long 99 of 100 calls took at most.
 */
export const USAGE_ORDERS = ['calls', 'refused', 'bytes', 'p99'] as const;
export type UsageOrder = (typeof USAGE_ORDERS)[number];
