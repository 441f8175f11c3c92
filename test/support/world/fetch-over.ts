import { get } from 'node:https';

/** What a service says to one call over a connection of its own. */
export function fetchOver(host: string, token: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const options = { host, path: '/who', headers, ca, agent: false as const };
    get(options, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => (said += text));
      response.once('end', () => resolve(said.trim())).once('error', reject);
    }).once('error', reject);
  });
}
