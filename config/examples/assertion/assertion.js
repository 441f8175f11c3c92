// Verifies X-Account-Assertion in nginx (njs 0.7.9 or later). See nginx.conf.
// biome-ignore lint/style/useNodejsImportProtocol: njs knows the name without it
const fs = require('fs');

const KEYS = '/etc/nginx/jwks.json';
const ISSUER = 'sallyport';
const AUDIENCE = 'deployments';
const LEEWAY_SECONDS = 5;
// In front of the two coordinates of a point on P-256: what makes them a public key (SPKI).
const SPKI = '3059301306072a8648ce3d020106082a8648ce3d03010703420004';

// 204: somebody vouches for who calls. 401: nobody does.
async function verify(r) {
  try {
    await callerOf(r.headersIn['X-Account-Assertion'] || '', r);
    r.return(204);
  } catch (error) {
    r.warn(`an assertion was refused: ${error.message}`);
    r.return(401);
  }
}

async function callerOf(assertion, r) {
  const parts = assertion.split('.');
  if (parts.length !== 3) throw new Error('not an assertion');
  const head = decoded(parts[0]);
  if (head.alg !== 'ES256') throw new Error('another algorithm than ES256');
  const known = JSON.parse(fs.readFileSync(KEYS)).keys.filter((key) => key.kid === head.kid);
  if (known.length !== 1) throw new Error('signed with a key that is not known');
  const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
  const signature = Buffer.from(parts[2], 'base64url');
  if (signature.length !== 64) throw new Error('not a signature');
  const by = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('spki', spkiOf(known[0]), by, false, ['verify']);
  if (!(await crypto.subtle.verify(by, key, signature, signed)))
    throw new Error('the signature is not by this key');
  return checked(decoded(parts[1]), r);
}

function checked(claims, r) {
  const now = Date.now() / 1000;
  if (claims.iss !== ISSUER || claims.aud !== AUDIENCE || !claims.sub)
    throw new Error('by another gate, or for another service');
  if (!(now - LEEWAY_SECONDS < claims.exp)) throw new Error('expired');
  if (!(claims.nbf <= now + LEEWAY_SECONDS)) throw new Error('not valid yet');
  const path = r.variables.request_uri.split('?')[0];
  const uri = `${r.variables.scheme}://${r.headersIn.Host}${path}`;
  if (claims.htm !== undefined && claims.htm !== r.variables.request_method)
    throw new Error('for another request');
  if (claims.htu !== undefined && claims.htu !== uri) throw new Error('for another request');
  return claims;
}

function spkiOf(key) {
  const point = [key.x, key.y].map((text) => Buffer.from(text, 'base64url'));
  return Buffer.concat([Buffer.from(SPKI, 'hex'), point[0], point[1]]);
}

function decoded(text) {
  return JSON.parse(Buffer.from(text, 'base64url').toString());
}

// biome-ignore lint/style/noDefaultExport: what js_import reads
export default { verify };
