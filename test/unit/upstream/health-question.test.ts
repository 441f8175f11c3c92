import { describe, expect, it } from 'vitest';
import { responseFieldNames } from '../../../src/http/field-names.ts';
import { Fields } from '../../../src/http/fields.ts';
import type { ResponseHead } from '../../../src/http/response-head.ts';
import { grpcQuestion, httpQuestion } from '../../../src/upstream/health-question.ts';
import { responseHead } from '../forwarding/fake-upstream.ts';

const fields = (said: Readonly<Record<string, string>>) => ({
  names: Object.keys(said).map((name) => responseFieldNames.get(name)!),
  values: Object.values(said),
});
const headWith = (status: number, said: Readonly<Record<string, string>> = {}): ResponseHead => ({
  ...responseHead(status),
  ...fields(said),
});

/** A message that says so, in the frame of gRPC. */
const reply = (...message: number[]) => Buffer.from([0, 0, 0, 0, message.length, ...message]);
const OK = fields({ 'grpc-status': '0' });

describe('a check by GET', () => {
  const question = httpQuestion('/well', 'a.test', new Fields().add('X-Key', '1'));

  it('is answered by the head alone', () => {
    expect(question.ofHead(headWith(204))).toEqual({ passed: true, why: 'status 204' });
    expect(question.ofHead(headWith(302))).toMatchObject({ passed: true });
    expect(question.ofHead(headWith(503))).toEqual({ passed: false, why: 'status 503' });
  });

  it('says who asks, beside the fields of its upstream', () => {
    const { list } = question.request.fields;
    expect(list).toEqual(['X-Key', '1', 'User-Agent', 'sallyport-health-check']);
    expect(question.content).toBeNull();
  });
});

describe('a check by gRPC', () => {
  const question = grpcQuestion('', 1500, 'a.test', null);

  it('asks about a service, or about all of the server', () => {
    expect(question.request).toMatchObject({
      method: 'POST',
      target: '/grpc.health.v1.Health/Check',
      takesTrailers: true,
    });
    expect(question.request.fields.list).toContain('1500m');
    expect(question.content).toEqual(Buffer.of(0, 0, 0, 0, 0));
    expect(grpcQuestion('shop', 1, 'a', null).content).toEqual(
      Buffer.concat([Buffer.of(0, 0, 0, 0, 6, 0x0a, 4), Buffer.from('shop')]),
    );
  });

  it('is passed by SERVING in a call that went well, and by nothing else', () => {
    expect(question.ofHead(headWith(200))).toBeNull();
    expect(question.ofWhole(reply(8, 1), OK)).toEqual({ passed: true, why: 'SERVING' });
    expect(question.ofWhole(reply(8, 2), OK)).toEqual({ passed: false, why: 'NOT_SERVING' });
    expect(question.ofWhole(reply(8, 3), OK)).toMatchObject({ why: 'SERVICE_UNKNOWN' });
    expect(question.ofWhole(reply(), OK)).toEqual({ passed: false, why: 'UNKNOWN' });
  });

  it.each([
    ['no trailers', reply(8, 1), null],
    ['no status in them', reply(8, 1), fields({ 'x-a': '1' })],
    ['no message', Buffer.alloc(0), OK],
    ['half a message', reply(8, 1).subarray(0, 6), OK],
    ['two messages', Buffer.concat([reply(8, 1), reply(8, 1)]), OK],
    ['a compressed one', Buffer.of(1, 0, 0, 0, 2, 8, 1), OK],
    ['another field', reply(16, 1), OK],
    ['more behind it', reply(8, 1, 16, 1), OK],
    ['a number of nobody', reply(8, 9), OK],
  ])('is not passed with %s', (_what, content, trailers) => {
    expect(question.ofWhole(content, trailers)).toEqual({
      passed: false,
      why: 'no reply to the check',
    });
  });

  it('is not passed where the call fails, in the head or behind the content', () => {
    const failed = fields({ 'grpc-status': '5' });
    expect(question.ofWhole(reply(8, 1), failed)).toEqual({ passed: false, why: 'grpc-status 5' });
    const unimplemented = headWith(200, { 'grpc-status': '12' });
    expect(question.ofHead(unimplemented)).toEqual({ passed: false, why: 'grpc-status 12' });
    expect(question.ofHead(headWith(502))).toEqual({ passed: false, why: 'status 502' });
  });

  it('keeps what a server says out of the log but for numbers', () => {
    const odd = fields({ 'grpc-status': 'x\u00e9 5' });
    expect(question.ofWhole(reply(8, 1), odd)).toEqual({ passed: false, why: 'grpc-status ?' });
  });
});
