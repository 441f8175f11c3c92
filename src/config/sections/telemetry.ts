import * as z from 'zod';

export const telemetrySection = z
  .strictObject({
    traces: z
      .enum(['sampled', 'unsampled', 'none'])
      .default('sampled')
      .describe(
        'What a call that brings no valid traceparent gets: one whose flag says sampled or not, or none. Most services follow the flag.',
      ),
  })
  .prefault({})
  .describe('What is told to the systems that watch.');
