import { changed, defined, type Operation, operation } from '../operation.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import * as recorded from '../schemas/record-answers.ts';
import { WAIT } from './common.ts';

const tag = 'Tokens';

const renew = operation({
  id: 'renewToken',
  method: 'post',
  path: '/token/renew',
  tag,
  summary: 'Exchange the token that is shown for a new one',
  description:
    'Any valid token may, whatever its permissions. Only the live one: not the previous one of a rotation. Without `overlapMs` the token that is shown is refused from now on, so whoever loses the answer is locked out; a minute or two of overlap spares that.',
  needs: 'any',
  params: null,
  query: WAIT,
  body: bodies.rotation,
  bodyOptional: true,
  answers: {
    200: {
      description: 'The new token; the old one is refused everywhere.',
      schema: answers.issuedToken,
    },
    202: {
      description: 'The new token; not every instance has confirmed it yet.',
      schema: answers.issuedToken,
    },
  },
  handle: async ({ control }, { caller, query, body }) => {
    const how = defined({ overlapMs: body.overlapMs, waitMs: query.waitMs });
    return changed(
      await control.administration.renewToken(caller.actor, { token: caller.token, ...how }),
    );
  },
});

const found = operation({
  id: 'reportFoundToken',
  method: 'post',
  path: '/tokens/found',
  tag,
  summary: 'I found this token: take it out of use',
  description:
    'Without authentication: whoever holds a token could as well use it. The answer, and the time it takes, are the same whether or not the token is one that counts. Few such requests are taken; there are none unless `listen.admin.foundTokens` is set.',
  needs: 'nobody',
  params: null,
  query: null,
  body: bodies.foundToken,
  answers: {
    202: {
      description: 'If it was a token that counts, it counts no more.',
      schema: recorded.received,
    },
  },
  handle: async (services, { body }) => {
    await services.found(body.token);
    return { status: 202, body: { received: true } };
  },
});

/** The last one is served only where it is asked for. */
export const TOKENS: readonly Operation[] = [renew];
export const FOUND_TOKENS: readonly Operation[] = [found];
