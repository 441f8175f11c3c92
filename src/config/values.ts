import { isIP } from 'node:net';
import * as z from 'zod';
import { isName } from '../account/model.ts';
import { SOCKET_PEER } from '../http/socket-address.ts';
import { Secret } from './secret.ts';

/**
 * The kinds of value that a configuration file holds. Messages never repeat the value: it may come
 * from the environment.
 */

/** A whole number within stated bounds. The unit is in the key's name and in the doc line. */
export function whole(
  range: { readonly min: number; readonly max: number; readonly default: number },
  doc: string,
) {
  return z.int().min(range.min).max(range.max).default(range.default).describe(doc);
}

export function flag(byDefault: boolean, doc: string) {
  return z.boolean().default(byDefault).describe(doc);
}

/**
 * A value that may be left out; it is null then, so that nobody has to tell "absent" from
 * "undefined".
 */
export function orNull<T extends z.ZodType>(schema: T, doc: string) {
  return schema
    .optional()
    .transform((value) => value ?? null)
    .describe(doc);
}

/** Same rule as the names of accounts, roles and teams. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NAME_HELP =
  'a name has 1 to 64 characters of A-Z a-z 0-9 . _ - and begins with a letter or digit';

export const name = z.string().regex(NAME_PATTERN, NAME_HELP).refine(isName, NAME_HELP);

/**
 * Read by its key: every string under a key that ends in `File` is a path, made absolute by the
 * loader.
 */
export const file = z.string().min(1, 'a path is expected').max(4096);

/** From `${ENV}` or from a file; the loader refuses one that is written out. */
export const secret = z
  .custom<string | Secret>(
    (value) => typeof value === 'string' || value instanceof Secret,
    'expected a string',
  )
  .transform((value) => (value instanceof Secret ? value : new Secret(value)));

export interface HostPort {
  /** IP address without brackets, or host name; of a listener also `unix:` and a path. */
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/;
const HOST_LABELS =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

/**
 * Host name or IPv4 address; no trailing dot. A name made of digits and dots must be an IPv4
 * address.
 */
export function isHost(text: string): boolean {
  return /^[0-9.]+$/.test(text) ? isIP(text) === 4 : HOST_LABELS.test(text);
}

/**
 * What a route may say of its host: a name or address without port, `*` for any, or `*.` and a name
 * for every name that has one label more.
 */
export function isRouteHost(text: string): boolean {
  if (text.startsWith('*.')) return !/^[0-9.]+$/.test(text.slice(2)) && isHost(text.slice(2));
  if (text.startsWith('[') && text.endsWith(']')) return isIP(text.slice(1, -1)) === 6;
  return text === '*' || isHost(text);
}

/** `host:port`, `[::1]:port`; null when it is neither. Port 0 is allowed here. */
export function parseHostPort(text: string): HostPort | null {
  const match = HOST_PORT.exec(text);
  if (match === null) return null;
  const [, v6, plain, digits] = match;
  const port = Number(digits);
  if (port > 65535) return null;
  if (v6 !== undefined) return isIP(v6) === 6 ? { host: v6.toLowerCase(), port } : null;
  return plain !== undefined && isHost(plain) ? { host: plain.toLowerCase(), port } : null;
}

/** An absolute path, as long as the system takes one (`sun_path` of unix(7)). */
export const SOCKET_ADDRESS = /^unix:\/[!-~]{1,106}$/;

/**
 * A listening address `host:port`; port 0 takes any free port. With `takesSockets` also
 * `unix:/path`, which becomes a host with port 0.
 */
export function listenAddress(byDefault: string, doc: string, takesSockets = false) {
  return z
    .string()
    .transform((text, context): HostPort => {
      if (takesSockets && SOCKET_ADDRESS.test(text)) return { host: text, port: 0 };
      const address = parseHostPort(text);
      if (address !== null) return address;
      context.issues.push({
        code: 'custom',
        input: text,
        message: takesSockets
          ? 'expected host:port, such as 127.0.0.1:8443 or [::1]:8443, or a socket such as unix:/run/sallyport/gate.sock'
          : 'expected host:port, such as 127.0.0.1:8443 or [::1]:8443',
      });
      return z.NEVER;
    })
    .prefault(byDefault)
    .describe(doc);
}

/** An IP address, a range in CIDR form, or `unix` for whoever connects by a socket file. */
export const peer = z
  .string()
  .refine(
    (text) => text === SOCKET_PEER || isNetwork(text),
    'expected an IP address, a range such as 10.0.0.0/8, or unix (whoever connects by a socket)',
  );

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}
