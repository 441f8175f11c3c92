import * as z from 'zod';
import { live } from '../reloading.ts';
import { file, flag, name, orNull, secret } from '../values.ts';

/** The one path that an identity provider sends people back to; its URL is registered there. */
export const CALLBACK_PATH = '/sign-in/callback';

const issuer = z
  .string()
  .max(512)
  .refine(
    isIssuer,
    'expected the https URL of an issuer, without query and fragment (http: only on this machine)',
  );

const claim = z.string().min(1).max(128);

/** Digits alone would be moved to the front of the list, and the order of the list decides. */
const group = z
  .string()
  .min(1)
  .max(256)
  .regex(
    /[^0-9]/,
    'a group whose name is a number cannot be mapped: the order of the list would be lost',
  );

const redirectUri = z
  .string()
  .max(512)
  .refine(
    isRedirectUri,
    `expected https://HOST${CALLBACK_PATH}, as it is registered at the identity provider`,
  );

const identity = z.strictObject({
  issuer: issuer.describe(
    'Issuer of the identity provider, as it names itself: `https://login.example.com/realms/ops`.',
  ),
  clientId: z.string().min(1).max(256).describe('Our name at the identity provider.'),
  clientSecretFile: live(
    orNull(
      file,
      'File that holds our secret at the identity provider. A changed one is tried at once; until the provider knows it, the former is shown too.',
    ),
  ),
  clientSecret: live(
    orNull(
      secret,
      'The secret itself, taken from the environment; one that is written out here is refused.',
    ),
  ),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected scopes without spaces'))
    .max(32)
    .refine((scopes) => scopes.includes('openid'), 'openid must be among them')
    .default(['openid', 'profile'])
    .describe('What is asked for; some providers want a scope of their own for groups.'),
  redirectUri: orNull(
    redirectUri,
    `Where people come back to, \`https://HOST${CALLBACK_PATH}\`. Default: the host under which they opened the console.`,
  ),
  roleClaim: claim
    .default('groups')
    .describe(
      "Claim that lists a person's groups: in the ID token, else from the userinfo endpoint.",
    ),
  roles: z
    .record(group, name)
    .refine(
      (roles) => Object.keys(roles).length > 0,
      'at least one group is needed: nobody could sign in',
    )
    .refine((roles) => Object.keys(roles).length <= 200, 'at most 200 groups')
    .describe(
      'Group -> role. The first that fits decides; whoever is in none of the groups is not let in.',
    ),
  nameClaim: claim.default('preferred_username').describe('Claim that holds the name of the user.'),
  allowPasswords: flag(
    true,
    'Whether users may also sign in with a password. `false`: nobody can while the provider is away.',
  ),
});

export const identitySection = orNull(
  identity,
  'Sign-in of people to the console by an OpenID Connect identity provider. Who writes this file decides which group has which role.',
);

function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || /[?#]/.test(text)) return false;
  return (
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname))
  );
}

function isRedirectUri(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && text === `https://${url.host}${CALLBACK_PATH}`;
}
