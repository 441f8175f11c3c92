import type { Permit } from '../decision/verdict.ts';
import { Fields } from '../http/fields.ts';

/**
 * Who calls, in the names that only the gate may say to a service. Public routes carry no identity:
 * nobody was authenticated. All values are names from the registry, whose grammar has no
 * separators.
 *
 * @param assertion the same, signed; null = the service wants none
 */
export function addIdentity(fields: Fields, permit: Permit, assertion: string | null): void {
  if (permit.account === null) return;
  const { id, name, teams } = permit.account.account;
  fields
    .add('X-Account-Id', id)
    .add('X-Account-Name', name)
    .add('X-Account-Role', permit.role ?? '')
    .add('X-Account-Teams', teams.length === 0 ? '' : teams.map(({ team }) => team).join(','));
  // The service decides about one of these; where it is about one already, there is nothing to say.
  if (permit.route.application.from === 'some')
    fields.add('X-Account-Applications', applicationsOf(permit));
  if (assertion !== null) fields.add('X-Account-Assertion', assertion);
}

/**
 * Every name of the closed list, empty where there is nothing to say: for proxies that copy them
 * over what their client has sent.
 */
export function wholeIdentity(permit: Permit, assertion: string | null): Fields {
  const account = permit.account?.account;
  const isSome = permit.route.application.from === 'some';
  return new Fields()
    .add('X-Account-Id', account?.id ?? '')
    .add('X-Account-Name', account?.name ?? '')
    .add('X-Account-Role', account === undefined ? '' : (permit.role ?? ''))
    .add('X-Account-Teams', (account?.teams ?? []).map(({ team }) => team).join(','))
    .add('X-Account-Applications', isSome ? applicationsOf(permit) : '')
    .add('X-Account-Assertion', assertion ?? '');
}

function applicationsOf({ demand }: Permit): string {
  return (demand?.applications ?? []).join(',');
}
