import * as z from 'zod';
import { orNull } from '../values.ts';

const access = z.strictObject({
  format: z
    .enum(['json', 'combined'])
    .default('json')
    .describe(
      '`json`: one object per line. `combined`: as Apache and nginx write it. Neither holds a query or a token.',
    ),
  path: orNull(
    z.string().min(1).max(4096),
    'File, from the folder of this file on; opened anew on SIGUSR2. Default: standard output.',
  ),
  sample: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'Share of the permitted calls with a status below 400 that have a line. All others have one.',
    ),
});

export const logSection = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe(
        'The least that is written. `debug` also says of each request head that was refused what was wrong with it.',
      ),
    format: orNull(
      z.enum(['json', 'text']),
      '`json`: one object per line. `text`: for people. Default: text where standard error is a terminal, else json.',
    ),
    access: orNull(
      access,
      'A line for each call, and each request to the admin listener, that has ended, for tools that read such logs. It promises nothing: the record does.',
    ),
  })
  .prefault({})
  .describe('The log on standard error.');
