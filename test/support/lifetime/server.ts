import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A LifeTime as its clients know it: paths in any letter case, with and without a slash at the end;
 * 204 for an empty list; plain text where the key of a deployment is told; errors as
 * `{"Errors":[…],"StatusCode":n}`; links built from what a proxy says about itself. It has no door
 * of its own: who calls is said by the gate.
 */
export interface LifetimeServer {
  readonly url: string;
  /** `METHOD /path` of everything that came, with who called. */
  readonly seen: readonly { readonly call: string; readonly account: string }[];
  readonly packages: readonly Buffer[];
  /** `hang`: no answer any more; `reset`: connections end without one. */
  mode: 'answer' | 'hang' | 'reset';
  stop(): Promise<void>;
}

export const DEVELOPMENT = '3f1e9a52-0000-4000-8000-00000000000d';
export const PRODUCTION = '3f1e9a52-0000-4000-8000-00000000000f';
export const CRM = '7c2d1b90-0000-4000-8000-0000000000c1';
export const BILLING = '7c2d1b90-0000-4000-8000-0000000000b1';

interface Deployment {
  readonly Key: string;
  readonly plan: Readonly<Record<string, unknown>>;
  status: 'saved' | 'running' | 'needs_user_intervention' | 'finished_successful' | 'aborted';
  polls: number;
}

interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: Buffer;
}

const BASE = '/lifetimeapi/rest/v2';
const fail = (status: number, message: string): Reply => ({
  status,
  json: { Errors: [message], StatusCode: status },
});
const list = (items: readonly unknown[]): Reply =>
  items.length === 0 ? { status: 204 } : { status: 200, json: items };

export async function startLifetime(): Promise<LifetimeServer> {
  const lifetime = new Lifetime();
  await lifetime.listen();
  return lifetime;
}

class Lifetime implements LifetimeServer {
  mode: LifetimeServer['mode'] = 'answer';
  readonly seen: { call: string; account: string }[] = [];
  readonly packages: Buffer[] = [];
  readonly #deployments = new Map<string, Deployment>();
  readonly #versions: { Key: string; ApplicationKey: string; Version: string }[] = [];
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push({ call: `${method} ${url}`, account: String(headers['x-account-name']) });
    if (this.mode === 'hang') return;
    if (this.mode === 'reset') return void request.socket.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const origin = `${String(headers['x-forwarded-proto'])}://${String(headers['x-forwarded-host'])}`;
    const reply = this.#route(method, url, Buffer.concat(chunks), origin);
    const type = reply.text === undefined ? 'application/json' : 'text/plain';
    const body =
      reply.bytes ?? reply.text ?? (reply.json === undefined ? '' : JSON.stringify(reply.json));
    response.writeHead(reply.status, {
      ...(body.length === 0
        ? {}
        : { 'content-type': reply.bytes ? 'application/octet-stream' : type }),
      ...(reply.status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }),
    });
    response.end(body);
  }

  #route(method: string, url: string, body: Buffer, origin: string): Reply {
    const path = new URL(url, origin).pathname.toLowerCase().replace(/\/$/, '');
    if (path.startsWith('/propertiesapi/rest/v1/modules/') && method === 'PUT')
      return { status: 201, json: { Success: true } };
    if (!path.startsWith(BASE)) return fail(404, 'No such resource');
    const [, group = '', ...rest] = path.slice(BASE.length).split('/');
    if (group === 'environments') return this.#environments(method, rest, body, origin);
    if (group === 'applications') return this.#applications(method, rest);
    if (group === 'deployments') return this.#plans(method, rest, body);
    if (group === 'downloads' && method === 'GET')
      return { status: 200, bytes: Buffer.from(`package ${rest.join('/')}`) };
    return fail(404, `There is no ${group}`);
  }

  #environments(method: string, rest: readonly string[], body: Buffer, origin: string): Reply {
    const [environment, what, key, part, ...more] = rest;
    const link = (name: string) => ({
      status: 200,
      json: { url: `${origin}${BASE}/downloads/${name}` },
    });
    if (environment === undefined)
      return list([
        { Key: DEVELOPMENT, Name: 'Development', Order: 0 },
        { Key: PRODUCTION, Name: 'Production', Order: 1 },
      ]);
    if (environment !== DEVELOPMENT && environment !== PRODUCTION)
      return fail(404, `No environment has the key ${environment}`);
    if (what === 'deployment' && method === 'POST') {
      this.packages.push(body);
      return this.#save({ TargetEnvironmentKey: environment });
    }
    if (what === 'solution' && method === 'POST') return { status: 200, json: 'solution-1' };
    if (what === 'solutionstatus') return { status: 200, json: [{ Status: 'Completed' }] };
    if (what === 'solution') return link(`${key}.osp`);
    if (what !== 'applications') return list([]);
    if (part === 'versions' && method === 'POST') return this.#tag(key ?? '', body);
    if (part === 'content') return link(`${key}.oap`);
    if (part !== 'sourcecodeaccess') return list([{ Key: key ?? CRM }]);
    if (method === 'POST')
      return { status: 200, json: { PackageKey: 'pack-1', Status: 'InProgress' } };
    return more[0] === 'status'
      ? { status: 200, json: { PackageKey: 'pack-1', Status: 'Done' } }
      : link('pack-1.zip');
  }

  #applications(method: string, [application, what]: readonly string[]): Reply {
    if (application === undefined)
      return list([
        { Key: CRM, Name: 'CRM' },
        { Key: BILLING, Name: 'Billing' },
      ]);
    if (method !== 'GET') return fail(400, 'The version is in use');
    const own = this.#versions.filter(({ ApplicationKey }) => ApplicationKey === application);
    return what === 'versions' ? list(own) : { status: 200, json: { Key: application } };
  }

  #tag(application: string, body: Buffer): Reply {
    const { Version = '' } = JSON.parse(body.toString()) as { Version?: string };
    const made = { Key: randomUUID(), ApplicationKey: application, Version };
    this.#versions.push(made);
    return { status: 201, json: { Text: made.Key } };
  }

  #plans(method: string, [key, command]: readonly string[], body: Buffer): Reply {
    if (key === undefined) {
      if (method === 'POST') return this.#save(JSON.parse(body.toString()) as Deployment['plan']);
      return list(
        [...this.#deployments.values()].map(({ Key, status }) => ({ Key, Status: status })),
      );
    }
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return fail(404, `No deployment found with the key ${key}`);
    if (command === 'status') return poll(deployment);
    if (method === 'POST') return obey(deployment, command ?? '');
    if (method !== 'DELETE') return { status: 200, json: { Key: key, ...deployment.plan } };
    if (deployment.status !== 'saved') return fail(400, 'Only saved deployments can be deleted');
    this.#deployments.delete(key);
    return { status: 204 };
  }

  /** The answer is the key, and no JSON. */
  #save(plan: Deployment['plan']): Reply {
    const Key = randomUUID();
    this.#deployments.set(Key, { Key, plan, status: 'saved', polls: 0 });
    return { status: 201, text: Key };
  }
}

/** Each look finds it a step further; half-way it asks. */
function poll(deployment: Deployment): Reply {
  if (deployment.status === 'running') {
    deployment.polls += 1;
    if (deployment.polls === 2) deployment.status = 'needs_user_intervention';
    if (deployment.polls >= 4) deployment.status = 'finished_successful';
  }
  return { status: 200, json: { DeploymentStatus: deployment.status, DeploymentLog: [] } };
}

function obey(deployment: Deployment, command: string): Reply {
  const next = { start: 'running', continue: 'running', abort: 'aborted' } as const;
  if (!Object.hasOwn(next, command)) return fail(400, `There is no command ${command}`);
  deployment.status = next[command as keyof typeof next];
  return { status: 202 };
}
