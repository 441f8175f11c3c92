import { beforeEach, describe, expect, it } from 'vitest';
import { Policy } from '../../../src/account/policy.ts';
import { newToken, tokenDigest } from '../../../src/account/token.ts';
import { createDecider, type Decider } from '../../../src/decision/decide.ts';
import type { Verdict } from '../../../src/decision/verdict.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import type { RateStanding } from '../../../src/limits/rate-limit.ts';
import { account } from '../account/samples.ts';
import {
  clock,
  head,
  NOW_MS,
  PEER,
  ROLES,
  ROUTES,
  SampleRegistry,
  whole,
  word,
} from './samples.ts';

const REFUSED: RateStanding = { retryAfterSeconds: 7, policy: '"p";q=1;w=9', limit: '"p";r=0;t=7' };
const PASSED: RateStanding = { retryAfterSeconds: 0, policy: '"p";q=1;w=9', limit: '"p";r=1;t=0' };

let registry: SampleRegistry;
/** Who asked for a rate: route and account. */
let asked: string[];
let rate: RateStanding | null;
let rateOfRefused: RateStanding | null;
let guessing: string | null;
let decider: Decider;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(ROLES, []);
  asked = [];
  rate = REFUSED;
  rateOfRefused = null;
  guessing = null;
  decider = createDecider({
    view: registry,
    routes: ROUTES,
    clock,
    limits: { bodyBytes: 0 },
    rates: {
      ask: (route, accountId) => {
        asked.push(`${route.name} ${accountId}`);
        return rate;
      },
      askRefused: (accountId) => {
        asked.push(`refused ${accountId}`);
        return rateOfRefused;
      },
    },
    lookups: {
      lookup: (id) => registry.lookup(id),
      guessing: (address) => (address === guessing ? REFUSED : null),
    },
  });
});

function decide(changes: Partial<RequestHead>, address?: string): Verdict {
  const verdict = decider.decide(head(changes), PEER, address);
  if (verdict instanceof Promise) throw new Error('the decision waited');
  return whole(verdict);
}

function bearer(role: string): string {
  return `Bearer ${registry.withToken({ role })}`;
}

describe('a rate', () => {
  it('of a route is taken from by what it lets in, of an account by its 404, 405 and 403 too', () => {
    const viewer = bearer('viewer');
    const refusals = [
      decide({}),
      decide({ authorization: viewer, path: '/nowhere' }),
      decide({ authorization: viewer, path: '/fixed', method: 'POST' }),
      decide({ authorization: viewer, method: 'POST' }),
    ];
    expect(refusals.map(word)).toEqual([
      'token-missing',
      'route-unknown',
      'method-refused',
      'permission-denied',
    ]);
    expect(asked).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^refused /)));
  });

  it('that an account has used up by what it was refused leaves it only the limit', () => {
    rateOfRefused = REFUSED;
    const verdict = decide({ authorization: bearer('viewer'), method: 'POST' });
    expect(verdict).toMatchObject({ permitted: false, reason: 'rate-limited', rate: REFUSED });
    const inactive = registry.withToken({ role: 'viewer', status: 'inactive' });
    expect(word(decide({ authorization: `Bearer ${inactive}` }))).toBe('account-inactive');
  });

  it('that is used up refuses, with all that was found and how the caller stands', () => {
    const verdict = decide({ authorization: bearer('viewer') });
    expect(verdict).toMatchObject({
      permitted: false,
      reason: 'rate-limited',
      rate: REFUSED,
      role: 'viewer',
      application: 'crm',
    });
    expect(verdict.account?.account.id).toBe('AAAAAAAAAAAA');
    expect(asked).toEqual(['read AAAAAAAAAAAA']);
  });

  it('that is not used up goes with the permit', () => {
    rate = PASSED;
    expect(decide({ authorization: bearer('viewer') })).toMatchObject({
      permitted: true,
      rate: PASSED,
    });
  });

  it('covers public routes, whose callers are not known', () => {
    expect(word(decide({ path: '/healthz' }))).toBe('rate-limited');
    expect(asked).toEqual(['probe null']);
  });

  it('that nobody set is none', () => {
    rate = null;
    expect(decide({ authorization: bearer('viewer') })).toMatchObject({
      permitted: true,
      rate: null,
    });
  });
});

describe('a client that guesses', () => {
  /** One account for each way in which a token that was looked up can fail. */
  function failing(): Readonly<Record<string, string>> {
    const old = newToken('RRRRRRRRRRRR');
    const live = newToken('RRRRRRRRRRRR');
    const token = { digest: tokenDigest(live), createdAt: account().createdAt };
    registry.put(account({ id: 'RRRRRRRRRRRR', token, retired: [tokenDigest(old)] }));
    return {
      'token-unknown': `Bearer ${newToken('ZZZZZZZZZZZZ')}`,
      'token-revoked': `Bearer ${old}`,
      'token-expired': `Bearer ${registry.withToken({ id: 'EEEEEEEEEEEE', expiresAt: new Date(NOW_MS - 1).toISOString() })}`,
      'account-inactive': `Bearer ${registry.withToken({ id: 'IIIIIIIIIIII', status: 'inactive' })}`,
    };
  }

  it('is told so of every token that fails, whatever is wrong with it', () => {
    for (const [reason, authorization] of Object.entries(failing())) {
      guessing = null;
      expect(word(decide({ authorization }))).toBe(reason);
      guessing = PEER.address;
      expect(decide({ authorization })).toMatchObject({
        permitted: false,
        reason: 'guessing-throttled',
        rate: REFUSED,
      });
    }
  });

  it('is let in with a token that is valid', () => {
    rate = PASSED;
    guessing = PEER.address;
    expect(word(decide({ authorization: bearer('viewer') }))).toBe('permitted');
  });

  it('is known by its own address where a trusted proxy stands before it', () => {
    const authorization = failing()['token-unknown']!;
    guessing = '192.0.2.9';
    expect(word(decide({ authorization }, '192.0.2.9'))).toBe('guessing-throttled');
    expect(word(decide({ authorization }, '192.0.2.8'))).toBe('token-unknown');
    expect(word(decide({ authorization }))).toBe('token-unknown');
  });
});
