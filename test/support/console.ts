import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { seededRoles } from '../../src/account/role.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import type { Administration } from '../../src/admin/administration.ts';
import { createControl } from '../../src/admin/control.ts';
import { type SignInFacts, signInEvent } from '../../src/audit/event/sign-in-event.ts';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { systemClock } from '../../src/clock.ts';
import { createConsole } from '../../src/console/console.ts';
import { EmbeddedSessions } from '../../src/console/embedded-sessions.ts';
import { EmbeddedTries } from '../../src/limits/embedded-tries.ts';
import { openEmbeddedRegistry } from '../../src/registry/embedded/registry.ts';
import { ServedRegistry } from '../../src/registry/served.ts';
import { EmbeddedStats } from '../../src/stats/embedded.ts';
import { EmbeddedUsage } from '../../src/stats/usage/embedded.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { batchOf } from './audit-batch.ts';
import { cheapenPasswords } from './cheap-passwords.ts';

export const operator = storeOwner('ops', 'command-line');

/** The password of every user that a test creates. */
export const PASSWORD = 'a rather long sentence';

export interface TestConsole {
  readonly port: number;
  readonly origin: string;
  readonly administration: Administration;
  readonly stats: EmbeddedStats;
  readonly usage: EmbeddedUsage;
  /** Sign-ins that were recorded. */
  readonly signIns: Omit<SignInFacts, 'id' | 'timeMs'>[];
  /** Lines of the log. */
  readonly log: string[];
  /** The files that sessions are kept in. */
  sessionFiles(): readonly string[];
  /** Lets time be so much earlier from now on, in milliseconds; 0 = as it is. */
  setBack(ms: number): void;
  /** Notes that an account's live token was let in. */
  used(name: string, timeMs: number, address: string): Promise<void>;
  /** Appends an event about a call to the log, as a gate would. */
  record(event: Readonly<Record<string, unknown>>, account?: string | null): Promise<void>;
  createUser(name: string, role: string): Promise<{ readonly id: string }>;
  /** How many connections are open. */
  connections(): Promise<number>;
  browser(): Browser;
  /** A browser that is signed in. */
  signedIn(name: string): Promise<Browser>;
  stop(): Promise<void>;
}

/**
 * The console on an HTTPS server of its own, over an embedded store, without a gate. Passwords cost
 * little in this process from then on.
 */
export async function startConsole({
  recordsSignIns = true,
  documentation,
}: {
  readonly recordsSignIns?: boolean;
  readonly documentation?: string;
} = {}): Promise<TestConsole> {
  cheapenPasswords();
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-console-'));
  const { certificateFile, keyFile } = await ensureLocalCertificate(dataDir, Date.now());
  const store = openEmbeddedRegistry(join(dataDir, 'registry.db'));
  await store.initialise(seededRoles(new Date().toISOString()));
  const audit = await openEmbeddedAudit({
    path: join(dataDir, 'audit.db'),
    retention: { days: 1, maxBytes: 0 },
    activityPerAccount: 1000,
  });
  let backMs = 0;
  const clock = { wallMs: () => Date.now() - backMs, monotonicMs: () => systemClock.monotonicMs() };
  const served = new ServedRegistry({ folder: dataDir, store: 'embedded', remembers: false });
  const usage = new EmbeddedUsage(join(dataDir, 'usage.db'));
  const parts = { store, usage, served, audit, clock, instance: 'test' };
  const control = createControl({ ...parts, routes: () => null });
  const sessions = new EmbeddedSessions(join(dataDir, 'sessions.db'), clock);
  const tries = new EmbeddedTries(join(dataDir, 'tries.db'), clock);
  const stats = new EmbeddedStats(join(dataDir, 'stats.db'));
  const signIns: TestConsole['signIns'] = [];
  const log: string[] = [];
  let seq = 0;
  const record: TestConsole['record'] = (event, account = null) => {
    seq += 1;
    return audit.append(
      batchOf('test', seq, [{ event: JSON.stringify({ seq, ...event }), account }]),
    );
  };
  const app = createConsole({
    control,
    store,
    sessions,
    tries,
    stats,
    routes: () => [],
    recordSignIn: async (facts) => {
      signIns.push(facts);
      if (!recordsSignIns) return false;
      const event = signInEvent('test', seq + 1, {
        id: randomUUID(),
        timeMs: Date.now(),
        ...facts,
      });
      await record(JSON.parse(event));
      return true;
    },
    clock,
    log: createLog({ format: 'json', level: 'debug', write: (line) => void log.push(line) }),
    settings: { sessionHours: 8, idleMinutes: 60 },
    ...(documentation === undefined ? {} : { documentation }),
  });
  const tls = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  const server = createServer(tls, getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { administration } = control;
  const test: TestConsole = {
    port,
    origin: `https://localhost:${port}`,
    administration,
    stats,
    usage,
    signIns,
    log,
    setBack: (ms) => {
      backMs = ms;
    },
    async used(name, timeMs, address) {
      const account = await administration.showAccount(operator, { name });
      await store.recordUses([
        { account: account.id, token: account.token?.id ?? '', timeMs, address },
      ]);
    },
    sessionFiles: () =>
      ['sessions.db', 'sessions.db-wal']
        .map((name) => join(dataDir, name))
        .filter((file) => existsSync(file)),
    record,
    async createUser(name, role) {
      const { account } = await administration.createUser(operator, {
        name,
        role,
        password: PASSWORD,
      });
      return { id: account.id };
    },
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((fault, count) => (fault === null ? resolve(count) : reject(fault))),
      ),
    browser: () => new Browser(port),
    async signedIn(name) {
      const browser = new Browser(port);
      const answer = await browser.signIn(name, PASSWORD);
      if (answer.status !== 303) throw new Error(`${name} could not sign in: ${answer.status}`);
      return browser;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await audit.close();
      await sessions.close();
      await tries.close();
      await stats.close();
      await usage.close();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return test;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Where a redirect leads. */
  readonly location: string | null;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether the cookies are sent; default true. */
  readonly cookies?: boolean;
}

/**
 * As much of a browser as the console notices: cookies, forms, and the headers that say where a
 * request comes from.
 */
export class Browser {
  readonly #port: number;
  /** The session's. */
  cookie = '';
  /** By which a browser is known from one sign-in to the next. */
  known = '';

  constructor(port: number) {
    this.#port = port;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send(path, { headers });
  }

  /**
   * Sends a form as a page of the console does, with whatever hidden fields that page's form
   * carries.
   */
  async submit(
    page: string,
    action: string,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { text } = await this.get(page);
    return this.post(action, { ...hiddenFields(text, action), ...fields });
  }

  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const body = new URLSearchParams(fields).toString();
    return this.send(path, { method: 'POST', body, headers: { ...this.ourForm(), ...headers } });
  }

  /** What a browser says of a form that our own page sends. */
  ourForm(): Record<string, string> {
    return {
      'content-type': 'application/x-www-form-urlencoded',
      origin: `https://localhost:${this.#port}`,
      'sec-fetch-site': 'same-origin',
    };
  }

  signIn(name: string, password: string, next = '/'): Promise<Answer> {
    return this.post('/sign-in', { name, password, next });
  }

  send(
    path: string,
    { method = 'GET', headers = {}, body, cookies = true }: Sent,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const held = [this.cookie, this.known].filter((each) => each !== '').join('; ');
      const cookie: Record<string, string> = cookies && held !== '' ? { cookie: held } : {};
      const host = `localhost:${this.#port}`;
      const options = {
        port: this.#port,
        host: '127.0.0.1',
        path,
        method,
        headers: { host, ...cookie, ...headers },
      };
      const sent = request({ ...options, rejectUnauthorized: false, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          this.#keepCookies(response.headers['set-cookie'] ?? []);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
            location: response.headers.location ?? null,
          });
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /** Asks for something that does not end, and answers with its status; `close` hangs up. */
  open(path: string): Promise<{ readonly status: number; close(): void }> {
    return new Promise((resolve, reject) => {
      const headers = { host: `localhost:${this.#port}`, cookie: this.cookie };
      const options = {
        port: this.#port,
        host: '127.0.0.1',
        path,
        headers,
        rejectUnauthorized: false,
        agent: false,
      };
      const sent = request(options, (response) => {
        response.resume();
        // Hanging up is what the test does.
        response.on('error', () => {});
        resolve({ status: response.statusCode ?? 0, close: () => sent.destroy() });
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /** The same, and keeps what is sent; `ended` resolves when the other side has ended it. */
  follow(
    path: string,
  ): Promise<{ readonly status: number; text(): string; readonly ended: Promise<void> }> {
    return new Promise((resolve, reject) => {
      const headers = { host: `localhost:${this.#port}`, cookie: this.cookie };
      const options = {
        port: this.#port,
        host: '127.0.0.1',
        path,
        headers,
        rejectUnauthorized: false,
        agent: false,
      };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        const ended = new Promise<void>((done) => response.once('close', done));
        resolve({
          status: response.statusCode ?? 0,
          text: () => Buffer.concat(chunks).toString('utf8'),
          ended,
        });
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /** Asks, and hangs up at that moment; resolves when the connection is closed on this side. */
  leave(path: string, when: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { host: `localhost:${this.#port}`, cookie: this.cookie };
      const { port, host } = { port: this.#port, host: '127.0.0.1' };
      const options = { port, host, path, headers, rejectUnauthorized: false, agent: false };
      const sent = request(options, () => reject(new Error('it was answered')));
      // Hanging up is what the test does.
      sent.on('error', () => {});
      sent.once('close', resolve);
      sent.end();
      void when.then(() => sent.destroy());
    });
  }

  #keepCookies(set: readonly string[]): void {
    for (const line of set) {
      const [pair = ''] = line.split(';');
      if (pair.startsWith('__Host-sallyport-browser=')) this.known = pair;
      else this.cookie = pair.endsWith('=') ? '' : pair;
    }
  }
}

/** Hidden fields of the form with this action; none when the page has no such form. */
export function hiddenFields(html: string, action: string): Record<string, string> {
  const start = html.indexOf(`action="${action}"`);
  if (start === -1) return {};
  const form = html.slice(start, html.indexOf('</form>', start));
  const fields: Record<string, string> = {};
  for (const [tag] of form.matchAll(/<input type="hidden"[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(tag)?.[1];
    if (name !== undefined) fields[name] = /value="([^"]*)"/.exec(tag)?.[1] ?? '';
  }
  return fields;
}
