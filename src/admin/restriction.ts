import { isDeepStrictEqual } from 'node:util';
import { readName } from '../account/distinguished-name.ts';
import type { Account, CertificateBinding } from '../account/model.ts';
import { readNetwork } from '../http/network.ts';
import { type Fields, printable } from './fields.ts';

/** From where a service account is let in, and on which connections. */
export type Restriction = Pick<Account, 'allowedNetworks' | 'boundTo'>;

export const RESTRICTION_FIELDS = ['allowedNetworks', 'boundTo'] as const;

/** Of one account. They stand in every copy of its record. */
export const ALLOWED_NETWORKS_MAX = 64;

/** As it is given by people and programs. */
export interface RestrictionInput {
  /** Addresses and ranges in CIDR form; empty or null: from anywhere. */
  readonly allowedNetworks?: readonly string[] | null;
  /**
   * The thumbprint of a certificate (SHA-256, in base64url or in hex with or without colons), or
   * its subject (RFC 4514); null: not bound.
   */
  readonly boundTo?: CertificateBinding | null;
}

/**
 * What is named takes the place of what there was, the rest stays. Notes faults. Fields that
 * restrict nothing are absent.
 */
export function readRestriction(fields: Fields, before: Restriction = {}): Restriction {
  const allowedNetworks = fields.has('allowedNetworks')
    ? readNetworks(fields)
    : before.allowedNetworks;
  const boundTo = fields.has('boundTo') ? readBinding(fields) : before.boundTo;
  return {
    ...(allowedNetworks === undefined ? {} : { allowedNetworks }),
    ...(boundTo === undefined ? {} : { boundTo }),
  };
}

/** The account with this restriction in place of its own; itself where that is the same. */
export function restricted(account: Account, restriction: Restriction): Account {
  const { allowedNetworks, boundTo } = account;
  const before = { allowedNetworks, boundTo };
  const isSame = isDeepStrictEqual(before, { ...NOTHING, ...restriction });
  return isSame ? account : { ...withoutRestriction(account), ...restriction };
}

const NOTHING = { allowedNetworks: undefined, boundTo: undefined };

/** The record without what restricts it. */
export function withoutRestriction<T extends Restriction>(account: T): Omit<T, keyof Restriction> {
  const { allowedNetworks: _, boundTo: __, ...rest } = account;
  return rest;
}

function readNetworks(fields: Fields): readonly string[] | undefined {
  const networks = fields.list('allowedNetworks', ALLOWED_NETWORKS_MAX).map((item, index) => {
    const read = typeof item === 'string' ? readNetwork(item) : { fault: 'must be text' };
    if ('network' in read) return read.network;
    const text = JSON.stringify(printable(String(item)));
    fields.fault(`allowedNetworks[${index}]`, `${text} ${read.fault}`);
    return '';
  });
  return networks.length === 0 ? undefined : [...new Set(networks)].sort();
}

function readBinding(fields: Fields): CertificateBinding | undefined {
  const value = fields.object('boundTo');
  if (value === null) return undefined;
  const [key, ...more] = Object.keys(value);
  if (more.length > 0 || (key !== 'thumbprint' && key !== 'subject')) {
    fields.fault('boundTo', 'must have a thumbprint or a subject, one of them');
    return undefined;
  }
  const text = value[key];
  const read = key === 'thumbprint' ? readThumbprint(text) : readSubject(text);
  if (read === null) fields.fault(`boundTo.${key}`, FAULTS[key]);
  return read ?? undefined;
}

const FAULTS = {
  thumbprint: 'must be the SHA-256 of a certificate: 43 characters of base64url, or 64 hex digits',
  subject: 'must be a distinguished name such as CN=ci-pipeline,O=Example (RFC 4514)',
} as const;

function readSubject(text: unknown): CertificateBinding | null {
  const subject = typeof text === 'string' ? readName(text) : null;
  return subject === null ? null : { subject };
}

const HEX = /^[0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31}$/;
const THUMBPRINT_BYTES = 32;

function readThumbprint(text: unknown): CertificateBinding | null {
  if (typeof text !== 'string') return null;
  if (HEX.test(text))
    return { thumbprint: Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url') };
  const bytes = Buffer.from(text, 'base64url');
  // One text for one digest: bits behind the last byte are none of it.
  const isExact = bytes.length === THUMBPRINT_BYTES && bytes.toString('base64url') === text;
  return isExact ? { thumbprint: text } : null;
}

/** In words, for people. Null: not bound. */
export function bindingWords(boundTo: CertificateBinding | null): string | null {
  if (boundTo === null) return null;
  return 'thumbprint' in boundTo
    ? `the certificate with the SHA-256 thumbprint ${boundTo.thumbprint}`
    : `a certificate of ${boundTo.subject}`;
}
