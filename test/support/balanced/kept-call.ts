import { type Agent, request } from 'node:https';

/**
 * One call, repeated by nobody. Answers its status and body, or what went wrong. With an agent for
 * one connection at a time that is kept as long as the gate keeps it.
 */
export function keptCall(
  by: { readonly token: string },
  port: number,
  method: string,
  agent: Agent,
  path = '/x',
): Promise<string> {
  const body = method === 'POST' ? 'content' : '';
  const headers = {
    authorization: `Bearer ${by.token}`,
    ...(body === '' ? {} : { 'content-length': body.length }),
  };
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', servername: 'localhost', port, path, method, headers, agent },
      (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (text: string) => (said += text));
        response
          .once('error', (fault) => resolve(fault.message))
          .once('end', () => resolve(`${response.statusCode} ${said}`));
      },
    );
    asked.once('error', (fault) => resolve(fault.message));
    asked.end(body);
  });
}
