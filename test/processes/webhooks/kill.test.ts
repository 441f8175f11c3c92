import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Shell } from '../../support/shell.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';

/** A gate that is killed between an attempt and its end; and the commands, over its socket. */
describe('webhooks of a gate that is served', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  let receiver: WebhookReceiver;
  let running: ReturnType<Shell['start']>;

  async function start(): Promise<void> {
    running = shell.start('serve', ...store);
    await vi.waitFor(() => expect(running.err()).toContain('the gate is open'), 50_000);
  }

  beforeAll(async () => {
    receiver = await startReceiver(shell.folder);
    const { url, caFile, secretFile } = receiver;
    const hook = {
      ...{ name: 'siem', url, secretFile, caFile },
      events: ['account-created', 'account-deleted'],
      networks: ['127.0.0.0/8', '::1'],
    };
    shell.write(
      'sallyport.yaml',
      JSON.stringify({
        instance: { name: 'test', dataDir: './store', lameDuckMs: 0 },
        listen: { proxy: { address: '127.0.0.1:0', plaintext: true } },
        store: { kind: 'embedded' },
        webhooks: [hook],
      }),
    );
    await start();
  });
  afterAll(async () => {
    running.process.kill('SIGKILL');
    await running.ended;
    await receiver.stop();
    shell.close();
  });

  it('are listed, and tested, by commands', async () => {
    const listed = await shell.run('webhook', 'list', ...store);
    expect([listed.code, listed.out]).toEqual([0, expect.stringContaining(receiver.url)]);
    expect(listed.out).not.toContain('whsec_');
    const tested = await shell.run('webhook', 'test', 'siem', ...store);
    expect([tested.code, tested.out]).toEqual([0, 'siem has taken the message.\n']);
    expect(receiver.received).toMatchObject([{ type: 'webhook-test', isSigned: true }]);
    receiver.answer = (response) => void response.writeHead(503).end();
    const failed = await shell.run('webhook', 'test', 'siem', ...store);
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('status 503')]);
    receiver.received.length = 0;
  });

  it('tell of a bait that a command has made', async () => {
    const { token } = await shell.json<{ token: string }>(
      ...['account', 'create', 'old-backup', '--role', 'none', '--honey', ...store],
    );
    expect(token).toMatch(/^slp_/);
    const listed = await shell.run('account', 'list', '--honey', ...store);
    expect(listed.out).toMatch(/^old-backup\s+active, honey/m);
    await receiver.waitFor('the bait', (received) =>
      received.some(({ data }) => (data.after as { honey?: true } | undefined)?.honey === true),
    );
    receiver.received.length = 0;
  });

  it('lose nothing to a kill between an attempt and its end, and keep the id of what comes twice', async () => {
    // No response: the attempt is under way when the gate is killed.
    receiver.answer = () => {};
    await vi.waitFor(async () => {
      await shell.run('account', 'create', `a-${Date.now()}`, '--role', 'none', ...store);
      expect(receiver.received.length).toBeGreaterThan(0);
    }, 50_000);
    running.process.kill('SIGKILL');
    await running.ended;
    const [cut] = receiver.received;
    // Made while nobody delivers.
    await shell.run('account', 'create', 'meanwhile', '--role', 'none', ...store);
    receiver.answer = (response) => void response.writeHead(204).end();
    await start();
    const nameIn = ({ data }: { data: Readonly<Record<string, unknown>> }) =>
      (data.target as { name: string }).name;
    await receiver.waitFor('what was made meanwhile', (received) =>
      received.some((one) => nameIn(one) === 'meanwhile'),
    );
    const [, again] = receiver.received;
    expect([again!.id, again!.body]).toEqual([cut!.id, cut!.body]);
    expect(receiver.received.every(({ isSigned }) => isSigned)).toBe(true);
    // In the order in which they were made, and each once from then on.
    const ids = receiver.received.slice(1).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(nameIn(receiver.received.at(-1)!)).toBe('meanwhile');
  });
});
