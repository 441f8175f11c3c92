import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditScan, AuditUnavailable, type ScanPage } from '../audit/port.ts';
import type { Finding } from '../audit/verify/finding.ts';
import { type SignedHead, signedHead, type Trust, trustFile } from '../audit/verify/keys.ts';
import { type Summary, Verifier } from '../audit/verify/verifier.ts';
import { turn } from '../turns.ts';
import { AdminError } from './error.ts';

/** What a log proves of itself. */
export interface AuditVerification extends Summary {
  /** The first `FINDINGS_MOST` of them, in the order in which they were found. */
  readonly findings: readonly Finding[];
  /** What to keep apart from the store, to compare it with later. */
  readonly trust: Trust;
}

export interface AuditVerifyInput {
  /** Keys and heads that were kept apart from the store. */
  readonly trust?: Trust | null;
  /** Not the whole log is read: what is missing as a whole is no finding. */
  readonly part?: boolean;
  /** A spool is read: it lacks what the store has accepted at once. */
  readonly sparse?: boolean;
}

const FINDINGS_MOST = 1000;
/** Events read at once. */
const SLICE = 500;
/** Events judged in one turn of the loop: about a millisecond of a running gate. */
const AT_ONCE = 100;
/** Of each slice, how long is waited besides: a gate that serves calls goes first. */
const PAUSE_MS = 1;

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
    const beside = {
      keys: new Map(keys.map(({ key, publicKey }) => [key, publicKey])),
      heads: heads.flatMap((line) => headIn(line) ?? []),
      anchors: [],
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
      anchored: false,
      found,
    });
    for (let [after, isEnd]: [string | null, boolean] = [null, false]; !isEnd; ) {
      const page: ScanPage = await record.scan({ after, limit: SLICE });
      for (const [at, event] of page.events.entries()) {
        if (at % AT_ONCE === AT_ONCE - 1) await turn();
        verifier.add(event);
      }
      progress(verifier.events, size);
      after = page.next;
      isEnd = page.isEnd;
      await sleep(PAUSE_MS);
      if (ends.some(({ aborted }) => aborted))
        throw new AdminError('unavailable', 'the verification was broken off');
    }
    const summary = verifier.end();
    return { ...summary, findings, trust: { keys: verifier.keys(), heads: [...verifier.heads()] } };
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    const message = `the audit log cannot be read: ${error.message}`;
    throw new AdminError('unavailable', message, { cause: error });
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

function headIn(line: string): SignedHead | null {
  try {
    return signedHead.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
