import * as z from 'zod';
import { isBuiltInRole } from '../../account/role.ts';
import { live } from '../reloading.ts';
import { flag, name, whole } from '../values.ts';

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
    approvals: live(
      z
        .strictObject({
          roles: z
            .array(name.refine((role) => !isBuiltInRole(role), 'the role none gives nothing'))
            .max(32)
            .default([])
            .describe(
              'Protected roles: a change to one of them, or to who has it, waits for a second administrator, through whichever door it comes. A role that allows as much as one of them is protected as well.',
            ),
          waitHours: whole(
            { min: 1, max: 720, default: 168 },
            'For how long such a change waits before it lapses, in hours.',
          ),
        })
        .prefault({})
        .describe('Which changes need two administrators.'),
    ),
  })
  .prefault({})
  .describe(
    'The console: pages for the people who give machines their keys, on the admin listener.',
  );
