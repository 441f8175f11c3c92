import { expect, it } from 'vitest';
import type { Caller } from '../../bench/callers.ts';
import { APPLICATIONS, BODY_BYTES, mixedRequests, SERVICES } from '../../bench/mixed.ts';

const callers: readonly Caller[] = Array.from({ length: 1000 }, (_, n) => ({
  id: `A${n}`,
  name: `caller-${n}`,
  token: `token-${n}`,
}));
const requests = mixedRequests(callers, ({ token }) => `Bearer ${token}`, 'gate').map((text) => {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const [method = '', target = ''] = line.split(' ');
  return { method, target, fields, body };
});

it('mixes every token, some 2,000 paths over all routes, and fields as five kinds of clients send them', () => {
  const tokens = requests.map(({ fields }) =>
    fields.find((field) => /^authorization:/i.test(field)),
  );
  expect(new Set(tokens).size).toBe(callers.length);
  const targets = new Set(requests.map(({ target }) => target));
  expect(targets.size).toBeGreaterThan(1900);
  const starts = new Set([...targets].map((target) => target.split('/').slice(2, 4).join('/')));
  expect(starts.size).toBe(SERVICES.length * APPLICATIONS.length);
  const counts = requests.map(({ fields }) => fields.length);
  expect([Math.min(...counts), Math.max(...counts)]).toEqual([9, 14]);
  for (const { fields } of requests.slice(0, 200)) {
    const names = fields.map((field) => field.slice(0, field.indexOf(':')).toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  }
});

it('reads in 85 of 100 requests, and says the length of every body', () => {
  const writes = requests.filter(({ method }) => method === 'POST');
  expect(writes.length / requests.length).toBeCloseTo(0.15, 1);
  for (const { fields, body } of writes.slice(0, 200)) {
    expect(BODY_BYTES).toContain(body.length);
    expect(fields).toContain(`Content-Length: ${body.length}`);
  }
  for (const { method, body } of requests) if (method === 'GET') expect(body).toBe('');
});
