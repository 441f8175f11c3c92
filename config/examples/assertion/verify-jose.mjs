// Verifies X-Account-Assertion in Node, with the package jose.
//
//   KEYS=https://gate.internal:9443/.well-known/jwks.json ISSUER=sallyport AUDIENCE=deployments \
//     node verify-jose.mjs < LINES
//
// reads lines of an assertion and, where it may be bound, the method and the URI of the request.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { KEYS, ISSUER, AUDIENCE } = process.env;

// Asked again for a key that is not known, every 30 s at most.
const keys = createRemoteJWKSet(new URL(KEYS), { cacheMaxAge: 300_000, cooldownDuration: 30_000 });

/**
 * Who calls. Throws where nobody has vouched for it.
 *
 * @param method, uri of the request, without query, as the service got it
 */
export async function callerOf(assertion, method, uri) {
  const { payload } = await jwtVerify(assertion, keys, {
    algorithms: ['ES256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    requiredClaims: ['sub', 'nbf', 'exp'],
    clockTolerance: 5,
  });
  if (payload.htm !== undefined && payload.htm !== method) throw new Error('another method');
  if (payload.htu !== undefined && payload.htu !== uri) throw new Error('another URI');
  return payload;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify(await callerOf(...line.split(' '))));
    } catch (error) {
      console.log(`refused: ${error.message}`);
    }
  }
}
