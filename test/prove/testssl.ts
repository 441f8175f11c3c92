/**
 * `npm run prove -- testssl`: testssl.sh (Debian: testssl.sh) against a gate on loopback with a
 * certificate such as an operator brings: 90 days, by a CA that says where its revocation list is.
 * Prints what it found as a Markdown table and fails on a finding of medium or worse. Two minutes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { findProgram } from '../support/system.ts';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** `FATAL`: the scan itself came to no end. */
const BAD = ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'];
/**
 * Names of findings that a whole scan has at least: one that broke off early must not pass for a
 * clean one.
 */
const MUST_HAVE = [
  'TLS1_3',
  'TLS1_2',
  'cipherlist_STRONG',
  'cert_chain_of_trust',
  'ROBOT',
  'secure_client_renego',
  'LUCKY13',
];
const LIMIT_MS = 900_000;

const program = findProgram('testssl') ?? findProgram('testssl.sh');
if (program === null) {
  console.error('testssl.sh is not installed (on Debian: apt-get install testssl.sh)');
  process.exit(2);
}

const upstream = await startRawUpstream({});
const folder = mkdtempSync(join(tmpdir(), 'sallyport-testssl-'));
const { caFile, ...certificate } = issueCertificate();
const gate = await startGateway({
  upstreams: { raw: { addresses: [upstream.url] } },
  config: {
    listen: {
      proxy: { address: '127.0.0.1:0', tls: { certificates: [certificate] } },
      ops: { address: '127.0.0.1:0' },
    },
  },
});
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
    caFile,
    '--jsonfile',
    report,
  ];
  // Beside us: the gate that it scans lives in this process.
  const scan = spawn(program, [...words, `localhost:${gate.port}`], {
    stdio: 'ignore',
    timeout: LIMIT_MS,
  });
  await once(scan, 'exit');
  judge(JSON.parse(readFileSync(report, 'utf8')) as readonly Finding[]);
} finally {
  await gate.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
}

function issueCertificate() {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const at = (name: string) => join(folder, name);
  const issue = (name: string, ...words: readonly string[]) =>
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-subj',
        `/CN=${name}`,
        ...key,
        '-keyout',
        at(`${name}.key`),
        '-out',
        at(`${name}.crt`),
        ...words,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth',
    'subjectAltName=DNS:localhost',
    'crlDistributionPoints=URI:http://ca.test/revoked.crl',
  ];
  issue('ca', '-days', '365');
  issue(
    'localhost',
    '-days',
    '90',
    '-CA',
    at('ca.crt'),
    '-CAkey',
    at('ca.key'),
    ...extensions.flatMap((one) => ['-addext', one]),
  );
  return {
    caFile: at('ca.crt'),
    certificateFile: at('localhost.crt'),
    keyFile: at('localhost.key'),
  };
}

function judge(findings: readonly Finding[]): void {
  console.log('| finding | verdict | |\n|---|---|---|');
  for (const each of findings.filter(
    ({ severity }) => !['INFO', 'WARN', 'DEBUG'].includes(severity),
  ))
    console.log(rowOf(each));
  const bad = findings.filter(({ severity }) => BAD.includes(severity));
  const missing = MUST_HAVE.filter((name) => !findings.some(({ id }) => id === name));
  console.log(`\n${findings.length} findings, ${bad.length} of medium or worse`);
  if (missing.length > 0) console.log(`the scan is not whole, it lacks: ${missing.join(' ')}`);
  if (bad.length > 0 || missing.length > 0) process.exitCode = 1;
}

function rowOf({ id, severity, finding }: Finding): string {
  return `| ${id} | ${severity} | ${finding.replaceAll('|', '/')} |`;
}
