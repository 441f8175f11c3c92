import * as z from 'zod';
import { whole } from '../values.ts';

/** As browsers write it (RFC 6454 §6.2): whatever another spelling means, it matches no request. */
export function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const origin = z
  .string()
  .max(300)
  .refine(
    isOrigin,
    'expected an origin as browsers send it, such as https://app.example.com (scheme and host in lower case, no path, no default port, no *)',
  );

export const cors = z.strictObject({
  origins: z
    .array(origin)
    .min(1, 'at least one origin is needed')
    .max(64, 'at most 64 origins')
    .describe('Whose pages may call the route: each origin in full.'),
  headers: z
    .array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'expected the name of a header field'))
    .max(64, 'at most 64 names')
    .default(['Content-Type'])
    .describe(
      'Request headers that pages may set. `Authorization` is always among them where the route takes tokens.',
    ),
  maxAgeSeconds: whole(
    { min: 0, max: 86_400, default: 600 },
    'How long a browser may remember the answer to its preflight, in seconds.',
  ),
});
