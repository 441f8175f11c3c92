/** Sockets of the file system (unix(7)), written `unix:/path`: nobody has an address there. */

const SCHEME = 'unix:';

/**
 * Who connects by a socket file, where else an IP address stands: for limits and records, and in
 * lists of peers that are believed. No client can say it of itself: what comes in a field or in a
 * PROXY preface counts where it is an IP address, and nowhere else.
 */
export const SOCKET_PEER = 'unix';

/** The path of a socket in the file system; null: the address is of a network. */
export function socketPathOf(host: string): string | null {
  return host.startsWith(SCHEME) ? host.slice(SCHEME.length) : null;
}
