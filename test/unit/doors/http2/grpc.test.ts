import { describe, expect, it } from 'vitest';
import { refusalResponse } from '../../../../src/calls/own-response.ts';
import { grpcCode, grpcFields, isGrpc } from '../../../../src/doors/http2/grpc.ts';
import { REFUSALS, type RefusalReason } from '../../../../src/refusal.ts';
import { parsed } from '../../forwarding/samples.ts';

const FORMAT = { errors: 'problem', realm: 'gate', gate: 'gate' } as const;

const post = (...fields: readonly string[]) => parsed('POST /a HTTP/1.1', 'Host: a', ...fields);

describe('a refusal of gRPC', () => {
  it('has a code for every refusal that a stream can have', () => {
    const unknown = Object.entries(REFUSALS).filter(
      ([reason, { status }]) => reason !== 'version-unsupported' && grpcCode(status) === 2,
    );
    expect(unknown).toEqual([]);
  });

  it('says code, message, reason and request, and keeps what says how to go on', () => {
    const fieldsFor = (reason: RefusalReason, detail: string | null = null) => {
      const own = refusalResponse(reason, 'r-1', FORMAT, ['GET'], null, detail);
      const { list } = grpcFields(own, own.refused!);
      return Object.fromEntries(list.flatMap((name, at) => (at % 2 ? [] : [[name, list[at + 1]]])));
    };
    expect(fieldsFor('token-expired')).toMatchObject({
      'content-type': 'application/grpc',
      'grpc-status': '16',
      'grpc-message': 'The token is not accepted',
      'x-sallyport-reason': 'token-refused',
      'X-Request-Id': 'r-1',
      'WWW-Authenticate': 'Bearer realm="gate", error="invalid_token"',
    });
    expect(fieldsFor('draining')).toMatchObject({ 'grpc-status': '14', 'Retry-After': '1' });
    expect(fieldsFor('request-malformed', '100 % \u00e9\r\n')['grpc-message']).toBe(
      'The request is not valid HTTP: 100 %25 %C3%A9%0D%0A',
    );
    expect(fieldsFor('draining')).not.toHaveProperty('Content-Type');
  });

  it('is for callers of gRPC alone', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'Application/gRPC;a=b'])
      expect(isGrpc(post(`Content-Type: ${type}`)), type).toBe(true);
    for (const type of ['application/grpc-web', 'application/grpcx', 'application/json', ''])
      expect(isGrpc(post(`Content-Type: ${type}`)), type).toBe(false);
    expect(isGrpc(post())).toBe(false);
    const get = parsed('GET /a HTTP/1.1', 'Host: a', 'Content-Type: application/grpc');
    expect(isGrpc(get), 'GET').toBe(false);
  });
});
