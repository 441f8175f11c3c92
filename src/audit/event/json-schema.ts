import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { schemaText } from '../../config/json-schema.ts';
import { auditEvent } from './audit-event.ts';

export const EVENT_SCHEMA_FILE = fileURLToPath(
  new URL('../../../config/audit-event.schema.json', import.meta.url),
);

/** For whoever reads the log outside of this gate (JSON Schema, draft 2020-12). */
export function eventSchema(): object {
  // As it is read: fields that are not named may stand beside those that are.
  const schema = z.toJSONSchema(auditEvent, { io: 'input' });
  return { ...schema, title: 'Sallyport audit event' };
}

export function eventSchemaText(): string {
  return schemaText(eventSchema());
}

/** Run as a script it writes the file. */
if (import.meta.main) writeFileSync(EVENT_SCHEMA_FILE, eventSchemaText());
