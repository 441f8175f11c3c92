/**
 * What an instance notes with each batch of its events, in the same step of the store: which permits
 * have no outcome as of the end of that batch. One line each:
 *
 *     =KIND JSON         what permits of that kind have in common
 *     +ID KIND [TRACE]   a permit was given
 *     -ID                its outcome is on record
 *
 * Whoever closes permits reads these, and so needs no right to read the record.
 */
export interface PermitNotes {
  /** They take the place of all that was noted before. */
  readonly anew: boolean;
  text: string;
}

export function kindNoted(kind: number, text: string): string {
  return `=${kind} ${text}\n`;
}

export function opened(id: string, kind: number, traceId: string | null): string {
  return traceId === null ? `+${id} ${kind}\n` : `+${id} ${kind} ${traceId}\n`;
}

export function ended(id: string): string {
  return `-${id}\n`;
}

/** Fields of a decision that its outcome repeats. */
export interface PermitFacts {
  readonly type: 'call' | 'admin-call';
  readonly account: { readonly id: string; readonly name: string; readonly kind: string } | null;
  readonly actor?: object | undefined;
  readonly route?: string | undefined;
  readonly permission?: string | undefined;
  readonly upstream?: string | undefined;
  readonly application?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}

/** One permit that an instance left open. */
export interface LeftPermit extends PermitFacts {
  readonly id: string;
  readonly traceId?: string;
}

export function permitText(facts: PermitFacts): string {
  return JSON.stringify(facts);
}

/** Of a kind that the store has lost. */
const UNKNOWN: PermitFacts = { type: 'call', account: null };

/** What is open as of the last line, oldest first. A line that says nothing is passed over. */
export function openIn(notes: string): LeftPermit[] {
  const kinds = new Map<string, PermitFacts>();
  const open = new Map<string, LeftPermit>();
  for (const line of notes.split('\n')) {
    const [word = '', kind = '', traceId] = line.slice(1).split(' ', 3);
    if (line[0] === '=') kinds.set(word, JSON.parse(line.slice(word.length + 2)) as PermitFacts);
    else if (line[0] === '-') open.delete(word);
    else if (line[0] === '+') {
      const facts = kinds.get(kind) ?? UNKNOWN;
      open.set(word, { id: word, ...facts, ...(traceId === undefined ? {} : { traceId }) });
    }
  }
  return [...open.values()];
}
