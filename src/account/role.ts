import type { Role } from './model.ts';

/**
 * The built-in role without any permission: the base for accounts that live by teams and grants. It
 * is not a record and cannot be changed.
 */
export const NO_ROLE = 'none';

/** The role that an empty registry begins with: everything behind the gate, and the gate itself. */
export const ADMINISTRATOR_ROLE = 'administrator';

/**
 * Whether a role exists without a record: it can be assigned, and neither created, changed nor
 * deleted.
 */
export function isBuiltInRole(name: string): boolean {
  // Case is ignored, so that nobody can create a `None` that reads like it and allows something.
  return name.toLowerCase() === NO_ROLE;
}

/** The roles that a new registry is initialised with. `at`: ISO 8601, UTC. */
export function seededRoles(at: string): readonly Role[] {
  return [
    {
      name: ADMINISTRATOR_ROLE,
      version: 0,
      description: 'Everything: the proxied APIs and Sallyport itself',
      permissions: ['*', 'sallyport:*'],
      createdAt: at,
      updatedAt: at,
    },
  ];
}
