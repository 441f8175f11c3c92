import type { Config } from '../../config/schema.ts';

/** Roles that the configuration gives people whom an identity provider lets in: they are used. */
export function identityRolesOf({ identity }: Pick<Config, 'identity'>): readonly string[] {
  return Object.values(identity?.roles ?? {});
}

/** For whoever is no gate; null: none of these files has an identity provider, and a gate may. */
export function identityRolesIn(
  files: readonly Pick<Config, 'identity'>[],
): readonly string[] | null {
  const known = files.filter(({ identity }) => identity !== null);
  return known.length === 0 ? null : known.flatMap(identityRolesOf);
}
