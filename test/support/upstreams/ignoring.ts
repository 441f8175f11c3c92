import { startProgram, type Upstream } from './upstream.ts';

const READY_MS = 30_000;

/**
 * A handler as many are written: `do_GET` and `do_DELETE` look at no body, so what follows a head
 * is the next request. `GET /executed` tells what was executed, and for whom.
 */
const PROGRAM = `
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
executed = []
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self):
        if self.path != '/executed':
            executed.append([self.command, self.path, self.headers.get('X-Account-Name', '')])
        body = json.dumps(executed).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_DELETE = answer
    def log_message(self, *words):
        pass
server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print('port', server.server_port, flush=True)
server.serve_forever()
`;

export interface IgnoringUpstream extends Upstream {
  readonly port: number;
  /** Method, path and `X-Account-Name` of what it took for requests, in order. */
  executed(): Promise<readonly (readonly [string, string, string])[]>;
}

/** CPython's `http.server`, which does not read the bodies of GET and DELETE. */
export async function startIgnoringUpstream(): Promise<IgnoringUpstream> {
  const program = startProgram('python3', ['-u', '-c', PROGRAM]);
  program.child.stderr?.resume();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let said = '';
  program.child.stdout?.on('data', (chunk) => {
    said += chunk;
    const port = /port (\d+)\n/.exec(said)?.[1];
    if (port !== undefined) resolve(Number(port));
  });
  program.child.once('error', reject);
  program.child.once('exit', () => reject(new Error('http.server does not start')));
  const timer = setTimeout(() => reject(new Error('http.server is not ready')), READY_MS);
  try {
    const port = await promise;
    const url = `http://127.0.0.1:${port}`;
    const executed = async () => {
      const answer = await fetch(`${url}/executed`, { headers: { connection: 'close' } });
      return (await answer.json()) as [string, string, string][];
    };
    return { url, port, executed, stop: program.stop };
  } catch (error) {
    await program.stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
