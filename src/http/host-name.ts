/**
 * The host without port and without the dot that ends a fully qualified name: `api.example.`
 * reaches the same server as `api.example`, and must not fall through to the routes for `*`. IPv6
 * keeps its brackets (RFC 3986 §3.2.2).
 */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(':');
  const end = colon > host.lastIndexOf(']') ? colon : host.length;
  return host.slice(0, host[end - 1] === '.' ? end - 1 : end);
}
