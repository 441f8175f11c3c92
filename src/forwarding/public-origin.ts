import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';

/**
 * Links with which an upstream leads its clients past the gate: it writes its own name into the
 * fields that hold URIs (RFC 9110 §8.7, §10.2.2, RFC 8288 §3). The origins that a route lists
 * become the one that the client has called. Bodies are never looked at.
 */

const FIELDS: ReadonlySet<string> = new Set(['location', 'content-location', 'link']);
/** A URI reference with an authority; without a scheme it has that of the request. */
const WITH_AUTHORITY = /^(?:(https?):)?\/\/([^/?#]+)(.*)$/is;
/** In `Link`: a quoted parameter, which is left alone, or a target. */
const QUOTED_OR_TARGET = /"(?:[^"\\]|\\.)*"|<([^<>]*)>/g;

/** Who the client has called, as far as it is known here. */
export interface Called {
  readonly scheme: 'http' | 'https';
  /** With port; empty where the request names none: links then have no authority at all. */
  readonly host: string;
}

/** As the services behind are told it, too: by trusted proxies, else as it is here. */
export function calledBy(
  client: { readonly proto: '' | 'http' | 'https'; readonly host: string },
  head: Pick<RequestHead, 'host'>,
  secure: boolean,
): Called {
  const own = secure ? 'https' : 'http';
  return {
    scheme: client.proto === '' ? own : client.proto,
    host: client.host === '' ? head.host : client.host,
  };
}

/** The head with the origins replaced; the same object where there is nothing to replace. */
export function withPublicOrigin(
  head: ResponseHead,
  origins: readonly string[],
  called: Called,
): ResponseHead {
  let values: string[] | null = null;
  for (let index = 0; index < head.names.length; index += 1) {
    const { lower } = head.names[index]!;
    if (!FIELDS.has(lower)) continue;
    const before = head.values[index]!;
    const after =
      lower === 'link'
        ? before.replace(QUOTED_OR_TARGET, (whole, target?: string) =>
            target === undefined ? whole : `<${rewritten(target, origins, called)}>`,
          )
        : rewritten(before, origins, called);
    if (after === before) continue;
    values ??= [...head.values];
    values[index] = after;
  }
  return values === null ? head : { ...head, values };
}

function rewritten(reference: string, origins: readonly string[], called: Called): string {
  const [, scheme, authority, rest = ''] = WITH_AUTHORITY.exec(reference.trim()) ?? [];
  if (authority === undefined) return reference;
  const schemes = scheme === undefined ? ['http', 'https'] : [scheme.toLowerCase()];
  const isListed = schemes.some((one) => {
    const origin = originOf(one, authority);
    return origin !== null && origins.includes(origin);
  });
  if (!isListed) return reference;
  if (called.host !== '') return `${called.scheme}://${called.host}${rest}`;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * In the one spelling that the configuration takes. Null for what is none: a user name, and a
 * backslash, which is the end of the authority to some and a part of it to others.
 */
function originOf(scheme: string, authority: string): string | null {
  if (/[@\\]/.test(authority)) return null;
  const text = `${scheme}://${authority}`;
  return URL.canParse(text) ? new URL(text).origin : null;
}
