import * as z from 'zod';
import { file, name, orNull, secret } from '../values.ts';

/** Words as they stand in the record: which there are is looked at where they are known. */
const event = z.string().regex(/^[a-z]+(?:-[a-z]+)*$/, 'expected the type of an event');

const hook = z.strictObject({
  name: name.describe('In metrics, the log and `sallyport webhook test NAME`.'),
  url: z
    .string()
    .max(2048)
    .refine(
      isReceiver,
      'expected an https URL without user and fragment (http: only on this machine)',
    )
    .describe('Where events are posted to. Nothing secret: it is shown.'),
  events: z
    .array(event)
    .min(1)
    .max(64)
    .describe('Types of events of administration, and of notices, such as `account-created`.'),
  secretFile: orNull(
    file,
    'File with the secret that signs: `whsec_` and 24 to 64 bytes in base64. While it rotates, two lines: both sign.',
  ),
  secret: orNull(
    secret,
    'The secret itself, taken from the environment; one that is written out here is refused.',
  ),
  caFile: orNull(file, 'PEM file of CAs that vouch for the receiver, in place of the usual ones.'),
  networks: z
    .array(z.string().max(64))
    .min(1)
    .max(64)
    .optional()
    .transform((networks) => networks ?? null)
    .describe(
      'Where the receiver is, in CIDR form: nothing is sent elsewhere. Default: any public address, and none of a private network.',
    ),
});

export const webhooksSection = z
  .array(hook)
  .max(16)
  .default([])
  .describe(
    'Tells other systems of events, signed, by an instance that has `listen.admin`. Default: none.',
  );

/** Nobody's password, which would then stand in logs. */
function isReceiver(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || text.includes('#'))
    return false;
  return (
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname))
  );
}
