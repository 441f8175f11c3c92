import * as z from 'zod';

export const telemetrySection = z
  .strictObject({
    traces: z
      .enum(['sampled', 'unsampled', 'none'])
      .default('sampled')
      .describe(
        'What a call that brings no valid traceparent gets: one whose flag says sampled or not, or none. Most services follow the flag.',
      ),
    serverTiming: z
      .enum(['off', 'authenticated'])
      .default('off')
      .describe(
        '`authenticated`: responses to calls with a token say in Server-Timing how long the gate and the upstream took.',
      ),
    topAccounts: z
      .int()
      .min(0)
      .max(20)
      .default(0)
      .describe(
        'How many accounts sallyport_top_account_requests names, the busiest of the last minute; 0: none. Account names are then seen by whoever reads the metrics.',
      ),
  })
  .prefault({})
  .describe('What is told to the systems that watch.');
