import { administrationOf, OPERATIONS, type OperationName } from './administration.ts';
import type { Control } from './control.ts';
import type { Row } from './operations/row.ts';
import { conversationWith } from './owner-conversation.ts';
import { OWNER_LIMITS } from './owner-protocol.ts';

/** A running owner's `Control`, reached through its socket. */
export interface RemoteControl {
  readonly control: Control;
  close(): void;
}

/**
 * Null when no owner listens in `dataDir`. Throws `unavailable` when one does and does not answer
 * in time.
 */
export async function connectOwner(dataDir: string): Promise<RemoteControl | null> {
  const conversation = await conversationWith(dataDir);
  if (conversation === null) return null;
  const administration = administrationOf(
    (name) => (actor, input) => conversation.ask(name, actor, input, patienceMs(name)),
  );
  const control: Control = {
    administration,
    follow: (actor, query, signal) => conversation.follow(actor, query, signal),
    verification: {
      run: (actor, input, progress) => conversation.verify(actor, input, progress),
      follow: (...words) => conversation.followVerification(...words),
    },
    reindexing: { run: (actor, input) => administration.reindexAudit(actor, input) },
  };
  return { control, close: () => conversation.close() };
}

function patienceMs(name: OperationName): number {
  return (OPERATIONS[name] as Row).isLong === true ? OWNER_LIMITS.verifyMs : OWNER_LIMITS.answerMs;
}
