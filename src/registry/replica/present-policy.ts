import { compilePermissions, type PermissionSet } from '../../account/permission.ts';
import type { PolicyView } from '../../account/policy.ts';
import type { Generation } from './generation.ts';

const NO_PERMISSIONS = compilePermissions([]);

/**
 * Roles and teams as the present generation has them; nothing is allowed while nothing is known.
 */
export abstract class PresentPolicy implements PolicyView {
  /** What is known; null: nothing. */
  protected generation: Generation | null = null;

  roleAllows(role: string, permission: string): boolean {
    return this.generation?.policy.roleAllows(role, permission) ?? false;
  }

  /** A role's permissions as one compiled question. */
  permissionsOf(role: string): PermissionSet {
    return this.generation?.policy.permissionsOf(role) ?? NO_PERMISSIONS;
  }

  ownerOf(application: string): string | null {
    return this.generation?.policy.ownerOf(application) ?? null;
  }

  ownedLike(folded: string): readonly string[] {
    return this.generation?.policy.ownedLike(folded) ?? [];
  }

  ownedApplications(): Iterable<string> {
    return this.generation?.policy.ownedApplications() ?? [];
  }

  applicationsOf(team: string): readonly string[] {
    return this.generation?.policy.applicationsOf(team) ?? [];
  }
}
