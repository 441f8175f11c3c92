// Verifies X-Account-Assertion in Node, with the library that Sallyport brings.
//
//   KEYS=https://gate.internal:9443/.well-known/jwks.json ISSUER=sallyport AUDIENCE=deployments \
//     node verify.mjs < LINES
//
// reads lines of an assertion and, where it may be bound, the method and the URI of the request.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { AssertionRefused, createVerifier } from 'sallyport/verify';

const { KEYS, ISSUER, AUDIENCE } = process.env;

// Keeps the keys for five minutes; asks again for one that is not known, every 30 s at most.
const verifier = createVerifier({ keys: KEYS, issuer: ISSUER, audience: AUDIENCE });

/**
 * Who calls: id, name, role, teams. Throws `AssertionRefused` where nobody has vouched for it (401),
 * `KeysUnavailable` where that cannot be known now (503).
 */
export function callerOf(assertion, method, uri) {
  return verifier.verify(assertion, method === undefined ? undefined : { method, uri });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify((await callerOf(...line.split(' '))).claims));
    } catch (error) {
      if (!(error instanceof AssertionRefused)) throw error;
      console.log(`refused: ${error.message}`);
    }
  }
}
