import { type AdminActor, mustHave } from './actor.ts';
import { propose } from './approvals/propose.ts';
import { ApprovalNeeded } from './approvals/rule.ts';
import { reading } from './change.ts';
import type { AdminContext, Bound } from './context.ts';
import { AdminError, type Fault, invalid } from './error.ts';
import { readInput } from './input.ts';
import { hasMeaning, meaningFaults } from './meaning.ts';
import { ACCOUNTS } from './operations/accounts.ts';
import { ACTIVITY } from './operations/activity.ts';
import { APPROVALS } from './operations/approvals.ts';
import { AUDIT } from './operations/audit.ts';
import { DECLARATION, ROLES, TEAMS } from './operations/policy.ts';
import { PREVIEW } from './operations/preview.ts';
import { QUESTIONS } from './operations/questions.ts';
import { RECORD } from './operations/record.ts';
import { REGISTRY } from './operations/registry.ts';
import type { Row } from './operations/row.ts';
import { SERVICE_ACCOUNTS, TOKENS } from './operations/tokens.ts';
import { TRAIL } from './operations/trail.ts';
import { TRANSFER } from './operations/transfer.ts';
import { USAGE_ROWS } from './operations/usage.ts';
import { USERS } from './operations/users.ts';
import { WEBHOOKS } from './operations/webhooks.ts';
import { Records } from './records.ts';
import { WITHOUT_APPROVAL } from './schemas/inputs.ts';

/**
 * Everything that can be done to the registry, and asked of it, by people and pipelines, a row
 * each. The command line, the owner's socket, the console and the API only bring an actor and an
 * input; who may, and whether the input will do, is looked at here, once for all of them.
 */
export const OPERATIONS = {
  ...SERVICE_ACCOUNTS,
  ...ACCOUNTS,
  ...USERS,
  ...ROLES,
  ...TEAMS,
  ...DECLARATION,
  ...TRANSFER,
  ...REGISTRY,
  ...TOKENS,
  ...QUESTIONS,
  ...ACTIVITY,
  ...RECORD,
  ...AUDIT,
  ...WEBHOOKS,
  ...APPROVALS,
  ...PREVIEW,
  ...USAGE_ROWS,
  ...TRAIL,
} as const;

export type OperationName = keyof typeof OPERATIONS;

/** Each operation without its context: what its callers see of it. */
export type Administration = {
  readonly [Name in OperationName]: Bound<(typeof OPERATIONS)[Name]['run']>;
};

export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[];

export function createAdministration(context: AdminContext): Administration {
  // async: whatever is wrong is a rejection, never a throw.
  return administrationOf((name) => async (actor, input) => perform(name, context, actor, input));
}

async function perform(
  name: OperationName,
  given: AdminContext,
  actor: AdminActor,
  asked: unknown,
): Promise<unknown> {
  const { needs, input: schema, shape, run, canWait }: Row = OPERATIONS[name];
  if (needs === 'store-owner') mustOwnStore(actor);
  else if (needs !== 'its-own') mustHave(actor, needs);
  // An input that is none, from a socket, lacks every field and says so.
  const { [WITHOUT_APPROVAL]: isWaived, ...input } = Object(asked ?? {}) as WaivedInput;
  const context = isWaived === undefined ? given : waived(given, actor, isWaived);
  const { value, faults } = readInput(schema, input);
  if (faults !== undefined) throw invalid([...faults, ...(await meant(context, shape, input))]);
  const performed = (on: AdminContext, who: AdminActor) =>
    run(on, who, value as never, createAdministration as never);
  return performed(context, actor).catch(async (error: unknown) => {
    if (!(error instanceof ApprovalNeeded) || canWait !== true) throw error;
    throw await propose(context, actor, name, value as object, performed, error);
  });
}

/** Asks the registry only where a field means something there: it may be what is away. */
async function meant(
  { store, clock }: AdminContext,
  shape: Row['shape'],
  input: object,
): Promise<readonly Fault[]> {
  if (!hasMeaning(shape)) return [];
  const records = await reading(() => Records.read(store));
  return meaningFaults(shape, input, records, clock.wallMs());
}

interface WaivedInput {
  readonly [WITHOUT_APPROVAL]?: unknown;
}

/** Whoever can write the store is above approvals, and says so, and the record tells. */
function waived(context: AdminContext, actor: AdminActor, said: unknown): AdminContext {
  if (said === false) return context;
  if (said !== true) throw invalid([{ field: WITHOUT_APPROVAL, message: 'must be true or false' }]);
  mustOwnStore(actor);
  const { approvals } = context;
  return approvals === undefined
    ? context
    : { ...context, approvals: { ...approvals, isWaived: true } };
}

function mustOwnStore(actor: AdminActor): void {
  if (actor.permissions !== 'store-owner')
    throw new AdminError(
      'forbidden',
      'this needs access to the store itself: run it there, with --config',
    );
}

/**
 * Builds the interface from one function per operation: here the real ones, in the owner's client
 * those that ask over the socket.
 */
export function administrationOf(
  operation: (name: OperationName) => (actor: AdminActor, input: unknown) => Promise<unknown>,
): Administration {
  return Object.fromEntries(
    OPERATION_NAMES.map((name) => [name, operation(name)]),
  ) as unknown as Administration;
}
