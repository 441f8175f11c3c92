import * as z from 'zod';
import { Secret } from '../secret.ts';
import { file, secret } from '../values.ts';

/** What a route or an upstream sets on requests, and takes off them. */
export interface HeaderChange {
  readonly set: readonly { readonly name: string; readonly value: Secret }[];
  readonly remove: readonly string[];
}

/** Only names that no upstream folds into another one (`X_A` and `X-A`). */
const fieldName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'expected the name of a header field, of A-Z a-z 0-9 and -');

/** RFC 9110 §5.5, without what only some servers trim or read. */
const FIELD_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const MAX_VALUE = 8192;

const fieldValue = z
  .union([
    secret,
    z.strictObject({
      valueFile: file.describe(
        'File that holds the value; one final line break is not part of it.',
      ),
      // Put here by the loader; a rule refuses it in the file.
      value: secret.optional().describe('Not to be written: use valueFile.').meta({ ours: true }),
      prefix: z
        .string()
        .max(64)
        .default('')
        .describe('What stands before it in the field, such as `Bearer ` (with its space).'),
    }),
  ])
  .transform((given, context): Secret => {
    // The loader has said why the file cannot be read.
    if (!(given instanceof Secret) && given.value === undefined) return new Secret('');
    const text =
      given instanceof Secret ? given.reveal() : given.prefix + (given.value?.reveal() ?? '');
    if (text.length <= MAX_VALUE && FIELD_VALUE.test(text)) return new Secret(text);
    context.issues.push({
      code: 'custom',
      input: null,
      message: `expected a value of 1 to ${MAX_VALUE} visible ASCII characters, without white space at its ends and without line breaks`,
    });
    return z.NEVER;
  });

export const headers = z
  .strictObject({
    set: z
      .record(fieldName, fieldValue)
      .default({})
      .describe(
        "Fields by name, each in place of the client's: a text with a variable of the environment in it, or `{ valueFile, prefix }`. The file is watched.",
      ),
    remove: z
      .array(fieldName)
      .max(64, 'at most 64 names')
      .default([])
      .describe('Fields of the client that are not passed on.'),
  })
  .transform(
    ({ set, remove }): HeaderChange => ({
      set: Object.entries(set).map(([name, value]) => ({ name, value })),
      remove,
    }),
  );
