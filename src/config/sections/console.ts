import * as z from 'zod';
import { flag, whole } from '../values.ts';

export const consoleSection = z
  .strictObject({
    enabled: flag(true, 'Whether the admin listener serves the console beside the API.'),
    sessionHours: whole(
      { min: 1, max: 168, default: 8 },
      'After so long a person signs in again, whatever they do, in hours.',
    ),
    idleMinutes: whole(
      { min: 1, max: 10_080, default: 60 },
      'After so long without a page a person signs in again, in minutes.',
    ),
  })
  .prefault({})
  .describe(
    'The console: pages for the people who give machines their keys, on the admin listener.',
  );
