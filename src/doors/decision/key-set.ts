import { KEY_SET_FIELDS } from '../../assertion/key-set-response.ts';
import { publishedResponse } from '../../calls/own-response.ts';
import type { CallServices, VerdictWords } from '../../calls/port.ts';
import { permitKeySet } from '../../decision/decide.ts';
import { PROXY_WORDS } from './words.ts';

/**
 * Of the call that asks for the keys of assertions: decided by nothing, recorded like any other.
 */
export function forKeySet(services: CallServices): CallServices {
  const { table } = services.decider;
  return { ...services, decider: { decide: ({ method }) => permitKeySet(method), table } };
}

/** @param set the JWK set as JSON */
export function keySetWords(set: string): VerdictWords {
  return {
    ...PROXY_WORDS,
    permitted: (_permit, requestId) => publishedResponse(requestId, KEY_SET_FIELDS, set),
  };
}
