import type { FieldName } from './field-names.ts';

/** How the end of a request body is known (RFC 9112 §6.3). */
export type BodyFraming =
  /** No body. `declared`: the client said `Content-Length: 0`, as it does on an empty POST. */
  | { readonly kind: 'none'; readonly declared: boolean }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Whether there is a body, and what stands in it, only the proxy knows that asks about it. */
  | { readonly kind: 'elsewhere' };

/**
 * One parsed and checked request head. Every door produces this same shape; it is never changed
 * afterwards: the strings that are decided on are the strings that are forwarded.
 */
export interface RequestHead {
  /**
   * As received, case-sensitive (RFC 9110 §9.1). Any token: whether it is known is for the decision
   * to say.
   */
  readonly method: string;
  /** Origin-form target as received: `path` + `query`; or `*`, with OPTIONS alone. */
  readonly target: string;
  /**
   * The target up to, and without, the `?`. Begins with `/`, and has passed the target gate; or
   * `*`.
   */
  readonly path: string;
  readonly version: '1.0' | '1.1' | '2';
  /**
   * Host as received (or `:authority`), lower-cased, port included. Empty only in HTTP/1.0 without
   * Host.
   */
  readonly host: string;
  /** Names and values of all fields in order of arrival; `names[i]` belongs to `values[i]`. */
  readonly names: readonly FieldName[];
  readonly values: readonly string[];
  /** The only `Authorization` value, or null. */
  readonly authorization: string | null;
  readonly userAgent: string | null;
  readonly framing: BodyFraming;
  /**
   * Lower-cased names that `Connection` declares to be for this connection only (RFC 9110 §7.6.1).
   */
  readonly nominated: readonly string[];
  /**
   * `Upgrade` as received, its values joined, or `:protocol` of HTTP/2 (RFC 8441, whose method is
   * then read as GET): what the client would rather speak on this connection. Null: nothing else.
   */
  readonly upgrade: string | null;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** The client takes fields behind the content of a response (`TE: trailers`). */
  readonly takesTrailers: boolean;
  /**
   * The client allows another request on this connection. Never after CONNECT and `Upgrade`: what
   * follows may be meant for a tunnel that there is none of, and must not be read as a request (RFC
   * 9931).
   */
  readonly keepAlive: boolean;
}

/** What a client has shown in its TLS handshake. */
export interface ClientCertificate {
  /** SHA-256 in base64url (RFC 8705 §3.1). */
  readonly thumbprint: string;
  /** As `readName` spells it; null where none of our CAs for clients vouches for it. */
  readonly subject: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly validUntilMs: number;
}

/** Who is at the other end of a connection, as far as the transport knows. */
export interface Peer {
  /**
   * IP address, without brackets or port; IPv4-mapped IPv6 is shown as IPv4. `SOCKET_PEER`: it came
   * by a socket file.
   */
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
  /** Null or absent: none was shown. */
  readonly certificate?: ClientCertificate | null;
}
