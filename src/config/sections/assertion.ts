import * as z from 'zod';
import { linesOf } from '../sealing-lines.ts';
import { file, orNull, secret, whole } from '../values.ts';

/** Shorter ones could be guessed by whoever has read the store. */
const SECRET_CHARACTERS = 32;

const sealingKey = secret.refine((value) => {
  const lines = linesOf(value.reveal());
  return lines.length > 0 && lines.every((line) => line.length >= SECRET_CHARACTERS);
}, `expected one or more lines of at least ${SECRET_CHARACTERS} characters each, as \`openssl rand -base64 32\` makes them`);

export const assertionSection = z
  .strictObject({
    issuer: z
      .string()
      .regex(/^[\x21-\x7e]{1,256}$/, 'expected 1 to 256 printable ASCII characters without spaces')
      .default('sallyport')
      .describe('Who signs, as services are told: claim `iss`. The same for all instances.'),
    rotateDays: whole(
      { min: 1, max: 365, default: 30 },
      'How long one key signs, in days. The next one is published a quarter of an hour ahead, the former one for a day longer.',
    ),
    sealingKeyFile: orNull(
      file,
      'File that holds the secret with which the keys are sealed in Redis, the same for all instances: `openssl rand -base64 32`. Of several lines the first seals and all open. Not with the embedded store, whose folder keeps one of its own.',
    ),
    sealingKey: orNull(
      sealingKey,
      'The secret itself, taken from the environment; one that is written out here is refused.',
    ),
  })
  .prefault({})
  .describe(
    'The keys that sign X-Account-Assertion, for upstreams that ask for it with `assertion`.',
  );

/** Of one upstream. */
export const upstreamAssertion = z.strictObject({
  audience: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'expected 1 to 256 printable ASCII characters without spaces')
    .describe('For whom it is: claim `aud`, which the service must insist on. One of its own.'),
  lifetimeSeconds: whole(
    { min: 5, max: 60, default: 60 },
    'How long an assertion counts, in seconds. It is given out again for half of that.',
  ),
  bind: z
    .enum(['none', 'request'])
    .default('none')
    .describe(
      '`request`: each call gets one of its own, which names its method and URI (claims `htm`, `htu`).',
    ),
});
