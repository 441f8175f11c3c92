import type { Operation } from '../operation.ts';

/**
 * A found token is taken as a whole by the service that hides what became of it: whoever brings it
 * is nobody, and the response tells nothing.
 */
export function foundToken(operation: Operation): Operation {
  return {
    ...operation,
    handle: async ({ found }, { body }) => {
      await found((body as { readonly token: string }).token);
      return { status: 202, body: { received: true } };
    },
  };
}
