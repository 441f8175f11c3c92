import * as z from 'zod';

export const logSection = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe(
        'The least that is written. `debug` also says of each request head that was refused what was wrong with it.',
      ),
  })
  .prefault({})
  .describe('The log on standard error.');
