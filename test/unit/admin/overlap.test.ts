import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { tokenDigest, tokenId } from '../../../src/account/token.ts';
import { prove } from '../../../src/decision/authenticate.ts';
import { type Bench, changesOf, NOW_MS, openBench, owner, refusal } from './stores.ts';

const HOUR_MS = 3_600_000;

describe('a rotation with overlap', () => {
  let bench: Bench;
  const tokens: string[] = [];

  beforeAll(async () => {
    bench = (await openBench('embedded'))!;
    tokens.push(
      (await bench.admin.createServiceAccount(owner, { name: 'ci', role: 'none' })).token,
    );
  });
  afterAll(() => bench.close());

  async function rotate(overlapMs: number): Promise<void> {
    tokens.push((await bench.admin.rotateToken(owner, { name: 'ci', overlapMs })).token);
  }

  /** What each token ever issued is worth at a moment, oldest first. */
  async function worth(nowMs: number): Promise<string[]> {
    const principal = compilePrincipal((await bench.store.accountByName('ci'))!);
    const clock = { wallMs: () => nowMs, monotonicMs: () => 0 };
    return tokens.map((token) => prove(principal, tokenDigest(token), clock));
  }

  it('lets both tokens in until it is over, and says which is which', async () => {
    await rotate(HOUR_MS);
    expect(await worth(NOW_MS)).toEqual(['proven', 'proven']);
    expect(await worth(NOW_MS + HOUR_MS - 1)).toEqual(['proven', 'proven']);
    expect(await worth(NOW_MS + HOUR_MS)).toEqual(['token-revoked', 'proven']);
    const view = await bench.admin.showAccount(owner, { name: 'ci' });
    expect(view.previousToken).toMatchObject({
      id: tokenId(tokenDigest(tokens[0]!)),
      validUntil: '2026-05-04T11:00:00.000Z',
    });
    expect(view.token).toMatchObject({ id: tokenId(tokenDigest(tokens[1]!)), lastUsed: null });
  });

  it('shows when and from where each of the two was last used', async () => {
    const [old, now] = tokens.map((token) => tokenId(tokenDigest(token)));
    const { id } = await bench.admin.showAccount(owner, { name: 'ci' });
    await bench.store.recordUses([
      { account: id, token: old!, timeMs: NOW_MS, address: '10.0.0.7' },
      { account: id, token: now!, timeMs: NOW_MS + 5, address: '2001:db8::1' },
    ]);
    const view = await bench.admin.showAccount(owner, { name: 'ci' });
    expect(view.previousToken?.lastUsed).toEqual({
      at: '2026-05-04T10:00:00.000Z',
      address: '10.0.0.7',
    });
    expect(view.token?.lastUsed).toEqual({
      at: '2026-05-04T10:00:00.005Z',
      address: '2001:db8::1',
    });
  });

  it('ends early when it is closed, once', async () => {
    const closed = await bench.admin.closeOverlap(owner, { name: 'ci' });
    expect(closed).toMatchObject({
      changed: true,
      account: { previousToken: null },
      revocation: { effective: true },
    });
    expect(await worth(NOW_MS)).toEqual(['token-revoked', 'proven']);
    expect(await bench.admin.closeOverlap(owner, { name: 'ci' })).toMatchObject({ changed: false });
    const { id } = closed.account;
    expect((await changesOf(bench.store, id)).map(({ type }) => type)).toEqual([
      'account-created',
      'token-rotated',
      'overlap-closed',
    ]);
  });

  it('ends when the next rotation begins, with or without an overlap of its own', async () => {
    await rotate(HOUR_MS);
    await rotate(HOUR_MS);
    expect(await worth(NOW_MS)).toEqual(['token-revoked', 'token-revoked', 'proven', 'proven']);
    await rotate(0);
    expect(await worth(NOW_MS)).toEqual([
      'token-revoked',
      'token-revoked',
      'token-revoked',
      'token-revoked',
      'proven',
    ]);
  });

  it('does not outlive a deactivation', async () => {
    await rotate(HOUR_MS);
    await bench.admin.deactivateAccount(owner, { name: 'ci' });
    expect((await worth(NOW_MS)).slice(-2)).toEqual(['account-inactive', 'account-inactive']);
  });

  it('is a week at most, and nothing for people', async () => {
    const asked = (overlapMs: number) => bench.admin.rotateToken(owner, { name: 'ci', overlapMs });
    expect((await refusal(asked(8 * 24 * HOUR_MS))).faults).toMatchObject([{ field: 'overlapMs' }]);
    expect((await refusal(asked(-1))).faults).toMatchObject([{ field: 'overlapMs' }]);
    await bench.admin.createUser(owner, {
      name: 'ada',
      role: 'none',
      password: 'correct horse battery',
    });
    expect((await refusal(bench.admin.closeOverlap(owner, { name: 'ada' }))).code).toBe('invalid');
  });
});

describe('changes that take something away', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = (await openBench('embedded'))!;
    await bench.admin.createRole(owner, {
      name: 'reader',
      permissions: ['apps:read', 'apps:list'],
    });
    await bench.admin.createTeam(owner, { name: 'payments', applications: ['Billing'] });
    await bench.admin.createServiceAccount(owner, { name: 'ci', role: 'reader' });
  });
  afterAll(() => bench.close());

  it('answer with a receipt, and others do not', async () => {
    const { admin } = bench;
    const ref = { name: 'ci' };
    const receipted = async (answer: Promise<object>) => 'revocation' in (await answer);
    expect(
      await receipted(admin.createServiceAccount(owner, { name: 'other', role: 'none' })),
    ).toBe(false);
    expect(await receipted(admin.editAccount(owner, { ...ref, description: 'x' }))).toBe(false);
    expect(await receipted(admin.editAccount(owner, { ...ref, role: 'none' }))).toBe(true);
    expect(await receipted(admin.editAccount(owner, { ...ref, role: 'none' }))).toBe(false);
    expect(
      await receipted(admin.grantRole(owner, { ...ref, application: 'CRM', role: 'none' })),
    ).toBe(true);
    expect(
      await receipted(admin.joinTeam(owner, { ...ref, team: 'payments', role: 'reader' })),
    ).toBe(true);
    expect(await receipted(admin.deactivateAccount(owner, ref))).toBe(true);
    expect(await receipted(admin.activateAccount(owner, ref))).toBe(false);
    expect(
      await receipted(
        admin.editRole(owner, {
          name: 'reader',
          permissions: ['apps:read', 'apps:list', 'apps:write'],
        }),
      ),
    ).toBe(false);
    expect(
      await receipted(admin.editRole(owner, { name: 'reader', permissions: ['apps:read'] })),
    ).toBe(true);
    expect(await receipted(admin.editTeam(owner, { name: 'payments', description: 'y' }))).toBe(
      false,
    );
    expect(
      await receipted(admin.editTeam(owner, { name: 'payments', addApplications: ['Ledger'] })),
    ).toBe(true);
    expect(await receipted(admin.deleteAccount(owner, ref))).toBe(true);
  });
});
