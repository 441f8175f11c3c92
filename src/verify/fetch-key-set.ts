import { KeysUnavailable } from './faults.ts';

/** A set of a gate has less than 1 KiB. */
const LARGEST_BYTES = 65_536;
const TIMEOUT_MS = 5_000;

/**
 * Throws `TypeError` for what is no `https:` URL, nor `http:` on this machine: whoever can change
 * the set on its way can say who calls.
 */
export function keySetUrl(keys: string | URL): URL {
  const url = new URL(keys);
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere))
    throw new TypeError(
      'keys must be an https: URL, or an http: URL of this machine; for others pass a function',
    );
  return url;
}

/** Throws `KeysUnavailable`. */
export async function fetchKeySet(url: URL): Promise<unknown> {
  const where = `${url.origin}${url.pathname}`;
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // Elsewhere is not where its operator said.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    text = await boundedText(response);
  } catch (error) {
    throw new KeysUnavailable(`${where} does not tell its keys`, { cause: error });
  }
  if (status !== 200)
    throw new KeysUnavailable(`${where} does not tell its keys: status ${status}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new KeysUnavailable(`${where} responds with something else than JSON`);
  }
}

async function boundedText({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body ?? []) {
    bytes += part.byteLength;
    if (bytes > LARGEST_BYTES) throw new RangeError(`more than ${LARGEST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
