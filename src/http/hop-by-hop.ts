/**
 * Fields that concern one connection alone (RFC 9110 §7.6.1), and those that frame a message: no
 * message takes them further than to here, in neither direction.
 */
export const HOP_BY_HOP = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const;
