import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { limitsOf, resultWords, WITHOUT_TRUST } from '../admin/verification-words.ts';
import { type AuditVerification, verifyAudit } from '../admin/verify-audit.ts';
import { type SpoolScan, scanSpool } from '../audit/spool/scan.ts';
import type { Trust } from '../audit/verify/keys.ts';
import { openExport } from './audit-file.ts';
import { followVerification } from './audit-follow.ts';
import { plainFile } from './audit-gunzip.ts';
import { Refused, UsageError } from './exit.ts';
import { examples, leaf } from './options.ts';
import { progressBar } from './progress.ts';
import { type StoreOptions, withReach } from './reach.ts';
import { note, say, sayJson, visible } from './terminal.ts';

interface VerifyOptions extends StoreOptions {
  readonly json?: boolean;
  readonly trust?: string;
  readonly writeTrust?: string;
  readonly follow?: boolean;
  readonly metrics?: string;
}

export function addAuditVerify(audit: Command): void {
  const verify = leaf(audit, 'verify [path]', 'prove that the record of calls is whole')
    .option('--trust <file>', 'keys and heads that were kept apart from the store')
    .option('--write-trust <file>', 'write what was found, for a later --trust (a new file)')
    .option('-f, --follow', 'go on with what comes, and tell each finding when it is found')
    .option('--metrics <address>', 'with --follow: serve /metrics there, HOST:PORT or a port')
    .action(verifyRecord);
  verify.description(
    'prove that the record of calls is whole: no event is missing, changed, moved, doubled or put in.\n' +
      'Reads the store, an export (one line of JSON each, newest or oldest first, also gzipped),\n' +
      'or a spool (a data folder, its folder spool, or what is in it). Changes nothing.\n' +
      'Exit code 0: 0 gaps, 0 edits; 1: one line for each; 3: the store could not be asked.\n' +
      'Without --trust, whoever can write to the store could have replaced both the events and the keys.',
  );
  examples(
    verify,
    'sallyport audit verify --config sallyport.yaml --write-trust audit-trust.json',
    'sallyport audit verify --config sallyport.yaml --trust audit-trust.json',
    'sallyport audit verify march.ndjson --trust audit-trust.json',
    'sallyport audit verify /var/lib/sallyport/spool',
    'sallyport audit verify --config manage.yaml --follow --metrics 9465',
  );
}

async function verifyRecord(path: string | undefined, options: VerifyOptions): Promise<void> {
  const trust = options.trust === undefined ? null : readTrust(options.trust);
  if (options.follow !== true && options.metrics !== undefined)
    throw new UsageError('--metrics is for --follow');
  if (options.follow === true) {
    if (path !== undefined || options.writeTrust !== undefined)
      throw new UsageError('--follow reads the store, and writes no trust file');
    return followVerification(options, trust);
  }
  const bar = progressBar('events');
  const result = await verified(path, trust, options, bar.at).finally(() => bar.end());
  if (options.writeTrust !== undefined) writeTrust(options.writeTrust, result.trust);
  const { findings, gaps, edits } = result;
  if (options.json === true) sayJson(result);
  else {
    for (const { kind, message } of findings) say(visible(`${kind}: ${message}`));
    if (findings.length < gaps + edits) note(`The first ${findings.length} are shown.`);
    for (const line of limitsOf(result)) note(visible(line));
    if (!result.trusted) note(`Without --trust: ${WITHOUT_TRUST}`);
  }
  const told = resultWords(result);
  if (gaps + edits > 0) throw new Refused(told);
  if (options.json !== true) say(told);
}

async function verified(
  path: string | undefined,
  trust: Trust | null,
  options: StoreOptions,
  progress: (done: number, of: number) => void,
): Promise<AuditVerification> {
  if (path !== undefined)
    return (await verifySpool(path, trust, progress)) ?? verifyExport(path, trust, progress);
  return withReach(options, false, ({ control, actor }) =>
    control.verification.run(actor, { trust }, progress),
  );
}

/** Null: the path is that of an export. */
async function verifySpool(
  path: string,
  trust: Trust | null,
  progress: (done: number, of: number) => void,
): Promise<AuditVerification | null> {
  const spool = spoolAt(path);
  if (spool === null) return null;
  try {
    const input = { trust, part: true, sparse: true };
    const result = await verifyAudit(spool.record, input, progress);
    if (spool.damaged > 0) note(`${spool.damaged} bytes of the spool hold no whole record.`);
    note('A spool holds what the store had not accepted, and for a time what it has since.');
    return result;
  } finally {
    await spool.close();
  }
}

function spoolAt(path: string): SpoolScan | null {
  try {
    const spool = scanSpool(path);
    if (spool !== null || !statSync(path).isDirectory()) return spool;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  throw new UsageError(`${path} holds no spool: name a data folder, or its folder spool`);
}

async function verifyExport(
  file: string,
  trust: Trust | null,
  progress: (done: number, of: number) => void,
): Promise<AuditVerification> {
  const plain = await plainFile(file);
  try {
    const opened = openExport(plain.path);
    try {
      return await verifyAudit(opened.record, { trust, part: true }, progress);
    } finally {
      opened.close();
    }
  } finally {
    plain.remove();
  }
}

function readTrust(file: string): Trust {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Trust;
  } catch (error) {
    throw new UsageError(`the trust file ${file} cannot be read: ${(error as Error).message}`);
  }
}

function writeTrust(file: string, trust: Trust): void {
  try {
    writeFileSync(file, `${JSON.stringify(trust, null, 2)}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new UsageError(`the trust file ${file} cannot be written: ${(error as Error).message}`);
  }
}
