/**
 * Opens TLS connections, makes one request on each, and leaves them alone. Arguments: PORT COUNT
 * PATH AUTHORIZATION. Prints `open` when all stand; on SIGINT, `left N`: how many still do.
 */
import { connect, createSecureContext, type TLSSocket } from 'node:tls';

const [port = '', count = '', path = '', authorization = ''] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\n\r\n`;
const AT_A_TIME = 50;
const secureContext = createSecureContext();
const standing = new Set<TLSSocket>();

/** Resolves when the answer has begun, or the connection has failed. */
function openOne(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(
      { host: '127.0.0.1', port: Number(port), rejectUnauthorized: false, secureContext },
      () => {
        socket.write(request);
      },
    );
    socket.once('data', () => {
      standing.add(socket);
      resolve();
    });
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      standing.delete(socket);
      resolve();
    });
  });
}

process.once('SIGINT', () => {
  process.stdout.write(`left ${standing.size}\n`, () => process.exit(0));
});

for (let opened = 0; opened < Number(count); opened += AT_A_TIME) {
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, Number(count) - opened) }, openOne));
}
console.log('open');
