/**
 * Clients that open a new TLS 1.3 connection for every request, as deployment scripts do.
 * Arguments: PORT PATH full|resumed CONNECTIONS RATE FILE. RATE 0: CONNECTIONS at a time; else so
 * many a second, by a timetable that waits for no answer. `resumed`: the session of the connection
 * before; one that the server did not take up counts as an error. On SIGINT: one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, createSecureContext } from 'node:tls';

const [port = '', path = '', kind = '', connections = '', rate = '', file = ''] =
  process.argv.slice(2);
const authorization = readFileSync(file, 'utf8').split('\n')[0];
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`;
const resumes = kind === 'resumed';
const TIMETABLE_MS = 2;
const MAX_OPEN = 1000;

const options: ConnectionOptions = {
  host: '127.0.0.1',
  port: Number(port),
  // The certificate is the benchmark's own, and checking it would only be work for the client.
  rejectUnauthorized: false,
  // One key exchange for all: left alone, this client and servers with its OpenSSL would agree on a
  // post-quantum one that nginx does not know.
  secureContext: createSecureContext({ minVersion: 'TLSv1.3', ecdhCurve: 'X25519' }),
};
const tookUs: number[] = [];
let errors = 0;
let open = 0;
let ended = false;
let session: Buffer | undefined;

function once(): void {
  open += 1;
  const startedMs = performance.now();
  const offered = resumes ? session : undefined;
  let answer = '';
  const socket = connect(offered === undefined ? options : { ...options, session: offered }, () => {
    if (offered !== undefined && !socket.isSessionReused()) errors += 1;
    socket.write(request);
  });
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  socket.on('session', (ticket) => {
    session = ticket;
  });
  socket.on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open -= 1;
    if (ended) return;
    if (answer.startsWith('HTTP/1.1 200 ')) tookUs.push((performance.now() - startedMs) * 1000);
    else errors += 1;
    if (Number(rate) === 0) once();
  });
}

if (Number(rate) === 0) {
  for (let n = 0; n < Number(connections); n += 1) once();
} else {
  const beginMs = performance.now();
  let begun = 0;
  setInterval(() => {
    const due = ((performance.now() - beginMs) * Number(rate)) / 1000;
    for (; begun < due && open < MAX_OPEN; begun += 1) once();
  }, TIMETABLE_MS);
}

process.once('SIGINT', () => {
  ended = true;
  tookUs.sort((a, b) => a - b);
  const at = (part: number) => Math.round(tookUs[Math.floor((tookUs.length - 1) * part)] ?? 0);
  const seen = { requests: tookUs.length, p50Us: at(0.5), p99Us: at(0.99), connectErrors: errors };
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
});
