import * as z from 'zod';
import { live, restart } from '../reloading.ts';
import { file, orNull, whole } from '../values.ts';

/** Nobody's password, and nothing else that would then stand in logs. */
function isCollector(text: string): boolean {
  if (!/^https?:\/\/[!-~]+$/.test(text) || !URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return `${username}${password}${search}${hash}` === '';
}

const otlp = z.strictObject({
  endpoint: z
    .string()
    .max(2048)
    .refine(
      isCollector,
      'expected the whole URL that takes traces, such as http://127.0.0.1:4318/v1/traces (no user, no query)',
    )
    .describe('URL of a collector that takes traces by OTLP over HTTP, as JSON.'),
  caFile: orNull(file, 'PEM file of CAs that vouch for the collector, in place of the usual ones.'),
  serviceName: z
    .string()
    .min(1)
    .max(255)
    .default('sallyport')
    .describe('`service.name` of the spans.'),
  ratio: live(
    z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe('Share of all calls of which spans are sent, whatever flag their callers send.'),
  ),
  askedPerSecond: live(
    whole(
      { min: 0, max: 1000, default: 10 },
      'So many more calls a second, in each process, whose known callers ask for it by the flag of `traceparent`.',
    ),
  ),
});

export const telemetrySection = z
  .strictObject({
    traces: z
      .enum(['sampled', 'unsampled', 'none'])
      .default('sampled')
      .describe(
        'What a call that brings no valid traceparent gets: one whose flag says sampled or not, or none. Most services follow the flag.',
      ),
    otlp: restart(
      orNull(otlp, 'Sends spans of calls to a collector of OpenTelemetry. Default: none are made.'),
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
