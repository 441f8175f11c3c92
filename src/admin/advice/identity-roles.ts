import type { Config } from '../../config/schema.ts';

/** Roles that the configuration gives people whom an identity provider lets in: they are used. */
function identityRolesOf({ identity }: Pick<Config, 'identity'>): readonly string[] {
  return Object.values(identity?.roles ?? {});
}

/**
 * Null: none of these files has an identity provider, and another gate of the registry may.
 *
 * @param isAll no other gate serves the registry
 */
export function identityRolesIn(
  files: readonly Pick<Config, 'identity'>[],
  isAll: boolean,
): readonly string[] | null {
  const known = files.filter(({ identity }) => identity !== null);
  return known.length === 0 && !isAll ? null : known.flatMap(identityRolesOf);
}
