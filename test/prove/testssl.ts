/**
 * `npm run prove -- testssl`: testssl.sh (Debian: testssl.sh) against a gate on loopback with a certificate of the local CA. Prints what it found as a Markdown table
 * and fails on a finding of medium or worse that is not excused below. Two minutes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { findProgram } from '../support/system.ts';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** About the certificate, which a real gate has from its operator. */
const EXCUSED: Readonly<Record<string, string>> = {
  cert_revocation:
    'the local CA signs one certificate and its key is gone: there is nothing to revoke, and nothing to sign a CRL with',
};
/** `FATAL`: the scan itself came to no end. */
const BAD = ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'];
/** Names of findings that a whole scan has at least: one that broke off early must not pass for a clean one. */
const MUST_HAVE = ['TLS1_3', 'TLS1_2', 'cipherlist_STRONG', 'cert_chain_of_trust', 'ROBOT', 'secure_client_renego', 'LUCKY13'];
const LIMIT_MS = 900_000;

const program = findProgram('testssl') ?? findProgram('testssl.sh');
if (program === null) {
  console.error('testssl.sh is not installed (on Debian: apt-get install testssl.sh)');
  process.exit(2);
}

const upstream = await startRawUpstream({});
const gate = await startGateway({ upstreams: { raw: { addresses: [upstream.url] } } });
try {
  const report = join(gate.dataDir, 'testssl.json');
  const words = [
    '--quiet',
    '--color',
    '0',
    '--warnings',
    'off',
    '--nodns',
    'none',
    '--add-ca',
    gate.caFile,
    '--jsonfile',
    report,
  ];
  // Beside us: the gate that it scans lives in this process.
  const scan = spawn(program, [...words, `localhost:${gate.port}`], { stdio: 'ignore', timeout: LIMIT_MS });
  await once(scan, 'exit');
  judge(JSON.parse(readFileSync(report, 'utf8')) as readonly Finding[]);
} finally {
  await gate.stop();
  await upstream.stop();
}

function judge(findings: readonly Finding[]): void {
  console.log('| finding | verdict | |\n|---|---|---|');
  for (const each of findings.filter(({ severity }) => !['INFO', 'WARN', 'DEBUG'].includes(severity))) console.log(rowOf(each));
  const bad = findings.filter(({ id, severity }) => BAD.includes(severity) && EXCUSED[id] === undefined);
  const missing = MUST_HAVE.filter((name) => !findings.some(({ id }) => id === name));
  console.log(`\n${findings.length} findings, ${bad.length} of medium or worse`);
  if (missing.length > 0) console.log(`the scan is not whole, it lacks: ${missing.join(' ')}`);
  if (bad.length > 0 || missing.length > 0) process.exitCode = 1;
}

function rowOf({ id, severity, finding }: Finding): string {
  const excuse = BAD.includes(severity) && EXCUSED[id] !== undefined ? ` (excused: ${EXCUSED[id]})` : '';
  return `| ${id} | ${severity} | ${finding.replaceAll('|', '/')}${excuse} |`;
}
