import { describe, expect, it } from 'vitest';
import type { Assertion } from '../../../src/assertion/assertions.ts';
import { isStillVouchedFor, vouchedFor } from '../../../src/calls/assertion.ts';
import { NOTHING_FOUND, type Permit } from '../../../src/decision/verdict.ts';
import { head, route } from '../decision/samples.ts';
import { CallStage } from './call-stage.ts';

/** A call's parts, and a permit of its caller. */
function scene() {
  const stage = new CallStage({ asserts: true });
  const { services, client, registry, keys } = stage;
  const [, id] = stage.token.split('_');
  const known = registry.cached(id!);
  if (known?.found !== 'account') throw new Error('there is no caller');
  const permit = {
    ...NOTHING_FOUND,
    permitted: true,
    preflight: null,
    account: known.account,
    route: route({ upstream: 'deployments' }),
  } as unknown as Permit;
  const record: { assertion: Assertion | null } = { assertion: null };
  return { stage, services, client, keys, permit, record, request: head({ path: '/all' }) };
}

describe('a permit', () => {
  it('goes on with what tells its upstream who calls', () => {
    const { services, client, permit, record, request } = scene();
    expect(vouchedFor(services, permit, request, client, record)).toBe(permit);
    expect(record.assertion?.text).toMatch(/^ey/);
  });

  it('becomes a refusal that keeps what was found, where nothing can sign', () => {
    const { services, client, keys, permit, record, request } = scene();
    keys.signer = null;
    const verdict = vouchedFor(services, permit, request, client, record);
    expect(verdict).toMatchObject({
      permitted: false,
      reason: 'assertion-unavailable',
      account: permit.account,
      route: permit.route,
    });
    expect(record.assertion).toBeNull();
  });

  it('needs nothing where nobody was authenticated', () => {
    const { services, client, keys, permit, record, request } = scene();
    keys.signer = null;
    const anonymous = { ...permit, account: null } as unknown as Permit;
    expect(vouchedFor(services, anonymous, request, client, record)).toBe(anonymous);
    expect(isStillVouchedFor(services, anonymous, request, client, record)).toBe(true);
  });

  it('of something that has waited is signed anew once half its life is over', () => {
    const { stage, services, client, keys, permit, record, request } = scene();
    vouchedFor(services, permit, request, client, record);
    const first = record.assertion;
    expect(isStillVouchedFor(services, permit, request, client, record)).toBe(true);
    expect(record.assertion).toBe(first);
    stage.clock.aheadMs = 31_000;
    expect(isStillVouchedFor(services, permit, request, client, record)).toBe(true);
    expect(record.assertion).not.toBe(first);
    stage.clock.aheadMs = 62_000;
    keys.signer = null;
    expect(isStillVouchedFor(services, permit, request, client, record)).toBe(false);
  });
});

it('a refusal needs none', () => {
  const { services, client, record } = scene();
  const refusal = {
    ...NOTHING_FOUND,
    permitted: false,
    reason: 'token-missing',
    allow: [],
    detail: null,
  } as const;
  expect(vouchedFor(services, refusal, null, client, record)).toBe(refusal);
  expect(record.assertion).toBeNull();
});
