/** Longest values in an event, in UTF-16 units. Longer ones are cut. */
export const EVENT_LIMITS = { path: 2048, userAgent: 256, header: 256, short: 128 } as const;
