import { type AuditScan, AuditUnavailable } from '../audit/port.ts';
import { anchorIn } from '../audit/verify/anchors.ts';
import type { ChangesSummary } from '../audit/verify/changes.ts';
import type { Finding } from '../audit/verify/finding.ts';
import { type SignedHead, signedHead, type Trust, trustFile } from '../audit/verify/keys.ts';
import type { Summary } from '../audit/verify/summary.ts';
import { Verifier } from '../audit/verify/verifier.ts';
import { turn } from '../turns.ts';
import { AdminError } from './error.ts';
import { readOn } from './read-record.ts';

/** What a log proves of itself. */
export interface AuditVerification extends Summary {
  /** The first `FINDINGS_MOST` of them, in the order in which they were found. */
  readonly findings: readonly Finding[];
  /** What to keep apart from the store, to compare it with later. */
  readonly trust: Trust;
  /** Of administrative changes, which are beside the record; null: they were not looked at. */
  readonly registry: ChangesSummary | null;
}

export interface AuditVerifyInput {
  /** Keys and heads that were kept apart from the store. */
  readonly trust?: Trust | null;
  /** Not the whole log is read: what is missing as a whole is no finding. */
  readonly part?: boolean;
  /** A spool is read: it lacks what the store has accepted at once. */
  readonly sparse?: boolean;
}

export const FINDINGS_MOST = 1000;
/**
 * Reads the whole log, and judges it. Heads are read first: what they speak of must be there.
 *
 * @param progress told how many events were read, and about how many there are
 * @param ends nobody waits any more, or the log is about to be closed
 */
export async function verifyAudit(
  record: AuditScan,
  input: AuditVerifyInput,
  progress: (done: number, of: number) => void = () => {},
  ends: readonly AbortSignal[] = [],
): Promise<AuditVerification> {
  const trust = readTrust(input.trust ?? null);
  try {
    const [heads, keys, size] = [await record.heads(), await record.keys(), await record.size()];
    const anchors = new Set(await record.anchors());
    const beside = {
      keys: new Map(keys.map(({ key, publicKey }) => [key, publicKey])),
      heads: heads.flatMap((line) => headIn(line) ?? []),
      anchors: [...anchors].flatMap((json) => anchorIn(json) ?? []),
    };
    const findings: Finding[] = [];
    const found = (finding: Finding) => {
      if (findings.length < FINDINGS_MOST) findings.push(finding);
    };
    const verifier = new Verifier({
      beside,
      trust,
      whole: input.part !== true,
      sparse: input.sparse === true,
      goesOn: false,
      nowMs: Date.now,
      found,
    });
    await expectAll(verifier, beside.heads, 'store');
    await expectAll(verifier, trust?.heads ?? [], 'trust');
    const read = () => progress(verifier.events, size);
    await readOn(record, null, (event) => verifier.add(event), read, ends);
    for (const json of await record.anchors()) {
      const anchor = anchors.has(json) ? null : anchorIn(json);
      if (anchor !== null) verifier.addAnchor(anchor);
    }
    // One may have been registered a moment after the first event that is signed with it.
    for (const { key, publicKey } of await record.keys()) beside.keys.set(key, publicKey);
    const summary = verifier.end();
    const seen = { keys: verifier.keys(), heads: [...verifier.heads()] };
    return { ...summary, findings, trust: seen, registry: null };
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    const message = `the audit log cannot be read: ${error.message}`;
    throw new AdminError('unavailable', message, { cause: error });
  }
}

/** Some milliseconds of a running gate. */
const SLICE = 50;

/** Each is a signature to be checked, and who asks may bring thousands. */
async function expectAll(
  verifier: Verifier,
  heads: readonly SignedHead[],
  from: 'store' | 'trust',
): Promise<void> {
  for (const [at, head] of heads.entries()) {
    if (at % SLICE === 0) await turn();
    verifier.expectHead(head, from);
  }
}

/** Throws `invalid` for what is no trust file, and for one that pins nothing. */
export function readTrust(trust: unknown): Trust | null {
  if (trust === null) return null;
  const { data, error } = trustFile.safeParse(trust);
  if (data !== undefined && data.keys.length > 0) return data;
  if (data !== undefined)
    throw new AdminError('invalid', 'the trust file cannot be used: it holds no key');
  const [fault] = error.issues;
  const where = fault?.path.join('.') ?? '';
  throw new AdminError('invalid', `the trust file cannot be used: ${where} ${fault?.message}`);
}

/** Null: the line is no signed head. */
export function headIn(line: string): SignedHead | null {
  try {
    return signedHead.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
