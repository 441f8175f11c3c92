import { describe, expect, it } from 'vitest';
import {
  goesNoFurther,
  optionsTo,
  preflightTo,
  refusalTo,
} from '../../../src/calls/own-responses.ts';
import type { VerdictWords } from '../../../src/calls/port.ts';
import { NOTHING_FOUND, type Permit, type Refusal } from '../../../src/decision/verdict.ts';
import { WHOLE_SERVER } from '../../../src/decision/whole-server.ts';
import { requestFieldNames } from '../../../src/http/field-names.ts';
import { decider, head, route, SampleRegistry } from '../decision/samples.ts';

const FORMAT = { errors: 'problem', realm: 'sallyport', gate: 'sallyport' } as const;
const REFUSAL: Refusal = {
  ...NOTHING_FOUND,
  permitted: false,
  reason: 'method-refused',
  allow: ['GET', 'PUT'],
  detail: 'so it is',
};
const permit = (changes: object) => ({ ...NOTHING_FOUND, permitted: true, ...changes }) as Permit;
const fieldOf = ({ fields }: { fields: { list: readonly string[] } }, name: string) =>
  fields.list[fields.list.indexOf(name) + 1];

function withMaxForwards(method: string, value: string) {
  return head({ method, names: [requestFieldNames.get('max-forwards')!], values: [value] });
}

describe('OPTIONS', () => {
  it('goes no further where it is about the gate, or has come as far as it may', () => {
    expect(goesNoFurther(head({ method: 'OPTIONS', path: '*' }))).toBe(true);
    expect(goesNoFurther(withMaxForwards('OPTIONS', '0'))).toBe(true);
    expect(goesNoFurther(withMaxForwards('OPTIONS', '1'))).toBe(false);
    expect(goesNoFurther(head({ method: 'OPTIONS' }))).toBe(false);
  });

  it('alone does: another method is passed on with the same field', () => {
    expect(goesNoFurther(withMaxForwards('GET', '0'))).toBe(false);
  });

  it('is told the methods of what it asks about', () => {
    const routes = [route({ path: '/a', methods: ['GET', 'OPTIONS'] })];
    const services = { decider: decider(new SampleRegistry(), routes) };
    const asked = head({ method: 'OPTIONS', path: '/a' });
    const own = optionsTo(asked, services, permit({ route: routes[0] }), 'id-1');
    expect(own).toMatchObject({ status: 200, body: '' });
    expect(fieldOf(own, 'Allow')?.split(', ').sort()).toEqual(['GET', 'OPTIONS']);
    const whole = optionsTo(asked, services, permit({ route: WHOLE_SERVER }), 'id-1');
    expect(fieldOf(whole, 'Allow')).not.toBe(fieldOf(own, 'Allow'));
  });
});

describe('a refusal', () => {
  it('says what was decided, with its detail and methods', () => {
    const own = refusalTo({ verdicts: null }, { format: FORMAT }, REFUSAL, 'method-refused', 'id');
    expect(own.status).toBe(405);
    expect(fieldOf(own, 'Allow')).toBe('GET, PUT');
    expect(JSON.parse(own.body)).toMatchObject({ reason: 'method-refused', detail: 'so it is' });
  });

  it('says nothing of that where something else came in between', () => {
    const own = refusalTo({ verdicts: null }, { format: FORMAT }, REFUSAL, 'draining', 'id');
    expect(JSON.parse(own.body)).not.toHaveProperty('detail');
  });

  it('is told in the words of whoever only asks for a verdict', () => {
    const told: unknown[] = [];
    const verdicts = {
      refused: (...words: unknown[]) => {
        told.push(...words);
        return 'theirs';
      },
    } as unknown as VerdictWords;
    expect(refusalTo({ verdicts }, { format: FORMAT }, REFUSAL, 'draining', 'id')).toBe('theirs');
    expect(told).toEqual([REFUSAL, 'draining', 'id', FORMAT]);
  });
});

it('a preflight is told what its route lets a page do', () => {
  const cors = { origins: ['https://page.example'], headers: [], maxAgeSeconds: 60 };
  const origin = [requestFieldNames.get('origin')!];
  const asked = head({ method: 'OPTIONS', names: origin, values: ['https://page.example'] });
  const own = preflightTo(asked, permit({ route: route({ cors }) }), 'POST', 'id-1');
  expect(own.status).toBe(204);
  expect(fieldOf(own, 'Access-Control-Allow-Origin')).toBe('https://page.example');
  expect(fieldOf(own, 'X-Request-Id')).toBe('id-1');
});
