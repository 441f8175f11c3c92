import type { Config } from '../../config/schema.ts';
import type { ApprovalRule } from './port.ts';

const HOUR_MS = 60 * 60 * 1000;

/** The rule of the configuration that is in force at each moment. */
export function approvalsOf(config: () => Pick<Config, 'console'>): ApprovalRule {
  return {
    roles: () => config().console.approvals.roles,
    lifetimeMs: () => config().console.approvals.waitHours * HOUR_MS,
  };
}
