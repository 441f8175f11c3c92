import { ChangesCheck, type ChangesSummary } from '../audit/verify/changes.ts';
import { type Finding, isGap } from '../audit/verify/finding.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import { turn } from '../turns.ts';
import { reading } from './change.ts';
import { type AuditVerification, FINDINGS_MOST } from './verify-audit.ts';

/** Read at once, and judged in one turn of the loop. */
const PAGE = 200;

/**
 * The same with what the history of administrative changes proves. Throws `AdminError`
 * (`unavailable`).
 */
export async function withChanges(
  result: AuditVerification,
  store: Pick<RegistryStore, 'changes'>,
): Promise<AuditVerification> {
  const found: Finding[] = [];
  let gaps = 0;
  let edits = 0;
  const registry = await reading(() =>
    verifyChanges(store, (finding) => {
      if (isGap(finding)) gaps += 1;
      else edits += 1;
      if (found.length < FINDINGS_MOST) found.push(finding);
    }),
  );
  const findings = [...result.findings, ...found].slice(0, FINDINGS_MOST);
  return {
    ...result,
    registry,
    findings,
    gaps: result.gaps + gaps,
    edits: result.edits + edits,
  };
}

/**
 * Reads the history of administrative changes from its newest end, and looks at its numbers. Null:
 * there is no registry. Throws `RegistryUnavailable`.
 */
export async function verifyChanges(
  store: Pick<RegistryStore, 'changes'>,
  found: (finding: Finding) => void,
): Promise<ChangesSummary | null> {
  try {
    let check: ChangesCheck | null = null;
    for (let before: string | null = null; ; ) {
      const page = await store.changes({ account: null, before, limit: PAGE });
      check ??= new ChangesCheck(page.newest, found);
      await turn();
      for (const [at, event] of page.items.entries()) check.add(event, page.places[at] ?? null);
      if (page.next === null) return check.end();
      before = page.next;
    }
  } catch (fault) {
    if (fault instanceof RegistryUnavailable && fault.why === 'empty') return null;
    throw fault;
  }
}
