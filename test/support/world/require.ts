import { type Part, requireOrSkip } from '../system.ts';
import { outsideWhy } from './namespace.ts';

/** Skips a test, with the reason, where its world cannot be made. */
export function requireWorld(
  ctx: Parameters<typeof requireOrSkip>[0],
  ...parts: readonly Part[]
): void {
  const why = outsideWhy();
  if (why !== null) ctx.skip(why);
  requireOrSkip(ctx, 'redis-server', 'nginx', 'haproxy', ...parts);
}
