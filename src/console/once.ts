import type { ConsoleContext } from './guard.ts';
import type { ConsoleParts } from './parts.ts';
import { sessionDigest } from './sessions.ts';

/**
 * Whether a form that counts once is sent for the first time. A page that shows a token is the
 * answer to a form, and a reload sends that form again: without this it would create or rotate
 * again, and put the token out of use that was copied a moment ago. A form without a mark counts
 * for nothing.
 */
export async function spend(c: ConsoleContext, parts: ConsoleParts): Promise<boolean> {
  const mark = c.var.form.text('once');
  if (!/^[A-Za-z0-9_-]{22}$/.test(mark)) return false;
  const whose = sessionDigest(c.var.visitor.sessionId).slice(0, 16);
  return parts.sessions.spend(`${whose}:${mark}`, parts.settings.sessionHours * 3_600_000);
}
