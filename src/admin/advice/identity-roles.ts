import type { Config } from '../../config/schema.ts';

/** Roles that the configuration gives people whom an identity provider lets in: they are used. */
export function identityRolesOf({ identity }: Pick<Config, 'identity'>): readonly string[] {
  return Object.values(identity?.roles ?? {});
}
