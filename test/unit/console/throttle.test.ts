import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameDigest } from '../../../src/console/known-browser.ts';
import { type Attempted, SignInThrottle, THROTTLE } from '../../../src/console/throttle.ts';
import { EmbeddedTries } from '../../../src/limits/embedded-tries.ts';

describe('the throttle of sign-ins', () => {
  let nowMs = 0;
  let folder: string;
  let tries: EmbeddedTries;
  let throttle: SignInThrottle;
  beforeEach(() => {
    nowMs = 1_000_000;
    folder = mkdtempSync(join(tmpdir(), 'sallyport-throttle-'));
    tries = new EmbeddedTries(join(folder, 'tries.db'), {
      wallMs: () => nowMs,
      monotonicMs: () => 0,
    });
    throttle = new SignInThrottle(tries);
  });
  afterEach(async () => {
    await tries.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const waits = async (attempt: Promise<Attempted>) => {
    const attempted = await attempt;
    return attempted.allowed ? 0 : attempted.waitSeconds;
  };
  const at = (name: string, address: string) => throttle.password(name, address, null);
  async function fail(
    times: number,
    attempt: (index: number) => Promise<Attempted>,
  ): Promise<Attempted | undefined> {
    let last: Attempted | undefined;
    for (let index = 0; index < times; index += 1) last = await attempt(index);
    return last;
  }
  async function succeed(attempt: Promise<Attempted>): Promise<void> {
    const attempted = await attempt;
    if (!attempted.allowed) throw new Error('was expected to be allowed');
    await attempted.succeeded();
  }

  it('lets somebody err a few times, and then once in a while', async () => {
    const most = THROTTLE.perNameAndAddress;
    const last = await fail(most, () => at('ada', '10.0.0.1'));
    expect(last).toMatchObject({ allowed: true, closes: true });
    const seconds = await waits(at('ada', '10.0.0.1'));
    expect(seconds).toBe(Math.ceil(THROTTLE.windowMs / most / 1000));
    expect(await waits(at('ada', '10.0.0.2'))).toBe(0);
    // Asking meanwhile makes the wait no longer.
    await fail(50, () => at('ada', '10.0.0.1'));
    nowMs += seconds * 1000;
    expect(await waits(at('ada', '10.0.0.1'))).toBe(0);
    expect(await waits(at('ada', '10.0.0.1'))).toBeGreaterThan(0);
    nowMs += THROTTLE.windowMs;
    expect(await fail(most - 1, () => at('ada', '10.0.0.1'))).toMatchObject({
      allowed: true,
      closes: false,
    });
  });

  it('counts one address over all names, and an IPv6 network as one address', async () => {
    await fail(THROTTLE.perAddress, (index) =>
      at(`name-${index}`, `2001:db8::${index.toString(16)}`),
    );
    expect(await waits(at('another', '2001:db8::ffff'))).toBeGreaterThan(0);
    expect(await waits(at('another', '2001:db8:0:1::1'))).toBe(0);
  });

  it('counts one name over all addresses, but does not lock out its owner', async () => {
    await fail(THROTTLE.perName, (index) => at('ada', `192.0.2.${index}`));
    const seconds = await waits(at('ada', '198.51.100.7'));
    expect(seconds).toBe(Math.ceil(THROTTLE.windowMs / THROTTLE.perName / 1000));
    const browser = { who: nameDigest('ada'), digest: 'd'.repeat(64) };
    expect(await waits(throttle.password('ada', '192.0.2.1', browser))).toBe(0);
    // Nobody's browser is a way around: it has a count of its own.
    await fail(THROTTLE.perNameAndAddress, (index) =>
      throttle.password('ada', `192.0.2.${index}`, browser),
    );
    expect(await waits(throttle.password('ada', '203.0.113.9', browser))).toBeGreaterThan(0);
  });

  it('forgets the errors of whoever gets it right, and counts what taught nothing as nothing', async () => {
    const few = THROTTLE.perNameAndAddress - 1;
    await fail(few, () => at('ada', '10.0.0.1'));
    await succeed(at('ada', '10.0.0.1'));
    expect(await fail(few, () => at('ada', '10.0.0.1'))).toMatchObject({
      allowed: true,
      closes: false,
    });
    const grace = await at('grace', '10.0.0.9');
    if (grace.allowed) await grace.takeBack();
    expect(await fail(few, () => at('grace', '10.0.0.9'))).toMatchObject({
      allowed: true,
      closes: false,
    });
  });

  it('lets nobody wash off the guesses at other names with a password of their own', async () => {
    for (let index = 0; index < THROTTLE.perAddress; index += 1) {
      await at(`name-${index}`, '10.0.0.1');
      if (index < THROTTLE.perAddress - 1) await succeed(at('eve', '10.0.0.1'));
    }
    expect(await waits(at('eve', '10.0.0.1'))).toBeGreaterThan(0);
  });

  it('takes letter case for one name', async () => {
    await fail(THROTTLE.perNameAndAddress, (index) =>
      at(index % 2 === 0 ? 'ADA' : 'ada', '10.0.0.1'),
    );
    expect(await waits(at('Ada', '10.0.0.1'))).toBeGreaterThan(0);
  });

  it('counts ways back from an identity provider by themselves', async () => {
    await fail(THROTTLE.perNameAndAddress, () => throttle.provider('10.0.0.1', null));
    expect(await waits(throttle.provider('10.0.0.1', null))).toBeGreaterThan(0);
    expect(await waits(at('ada', '10.0.0.1'))).toBe(0);
    expect(
      await waits(
        throttle.provider('10.0.0.1', { who: nameDigest('ada'), digest: 'd'.repeat(64) }),
      ),
    ).toBe(0);
  });
});
