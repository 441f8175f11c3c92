import * as z from 'zod';
import type { AccountKind } from '../../../account/model.ts';
import type { AccountQuery } from '../../list-accounts.ts';
import {
  type Call,
  changed,
  defined,
  type Operation,
  type OperationResult,
  type OperationServices,
  operation,
} from '../operation.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import type * as parameters from '../schemas/parameters.ts';
import * as words from '../schemas/words.ts';
import { changing, howOf, WAIT } from './common.ts';

/** What service accounts and users have in common. */
export interface AccountPlace {
  readonly kind: AccountKind;
  readonly path: string;
  readonly tag: string;
  /** Singular and plural, for summaries. */
  readonly noun: readonly [string, string];
  /** `ServiceAccount`: for the names of operations. */
  readonly word: string;
}

export const ID = z.strictObject({ id: words.accountId });

type OfId = { readonly id: string };

/** The reference that administration takes, with all that the request says about how. */
export function refOf<K extends AccountKind>(
  kind: K,
  call: Call<OfId, { readonly waitMs?: number | undefined }, unknown>,
): { readonly id: string; readonly kind: K; readonly waitMs?: number; readonly version?: number } {
  return { id: call.params.id, kind, ...howOf(call) };
}

export async function shown(
  services: OperationServices,
  call: Call<never, never, never>,
  ref: OfId & { kind: AccountKind },
): Promise<OperationResult> {
  const account = await services.control.administration.showAccount(call.caller.actor, ref);
  return { status: 200, body: { account }, version: account.version };
}

export function getAccount(place: AccountPlace): Operation {
  return operation({
    id: `get${place.word}`,
    method: 'get',
    path: `${place.path}/{id}`,
    tag: place.tag,
    summary: `Show one of the ${place.noun[1]}`,
    needs: 'sallyport:registry:read',
    params: ID,
    query: null,
    body: null,
    answers: { 200: { description: 'The account.', schema: answers.oneAccount, etag: true } },
    handle: (services, call) =>
      shown(services, call as never, { id: call.params.id, kind: place.kind }),
  });
}

export function patchAccount(place: AccountPlace): Operation {
  return operation({
    id: `edit${place.word}`,
    method: 'patch',
    path: `${place.path}/{id}`,
    tag: place.tag,
    summary: `Change one of the ${place.noun[1]}`,
    description: 'What is named is changed, the rest stays. `status` activates and deactivates.',
    needs: 'sallyport:registry:write',
    params: ID,
    query: WAIT,
    body: bodies.accountEdit,
    conditional: true,
    answers: changing(answers.changedAccount),
    handle: async ({ control: { administration } }, call) => {
      const { actor } = call.caller;
      const ref = refOf(place.kind, call);
      const { status, ...rest } = defined(call.body);
      // Alone it is an act of its own, and the audit calls it by its name.
      const alone = Object.keys(rest).length === 0 ? status : undefined;
      const edited =
        alone === 'active'
          ? await administration.activateAccount(actor, ref)
          : alone === 'inactive'
            ? await administration.deactivateAccount(actor, ref)
            : await administration.editAccount(actor, { ...ref, ...defined(call.body) });
      return changed(edited, edited.account.version);
    },
  });
}

export function deleteAccount(place: AccountPlace): Operation {
  return operation({
    id: `delete${place.word}`,
    method: 'delete',
    path: `${place.path}/{id}`,
    tag: place.tag,
    summary: `Delete one of the ${place.noun[1]}`,
    description: 'For good. The name is free afterwards; the id is never used again.',
    needs: 'sallyport:registry:write',
    params: ID,
    query: WAIT,
    body: null,
    conditional: true,
    answers: {
      200: {
        description: 'Done, and in force everywhere. The account as it was.',
        schema: answers.changedAccount,
      },
      202: {
        description: 'Done; not every instance has confirmed it yet.',
        schema: answers.changedAccount,
      },
    },
    handle: async ({ control }, call) =>
      changed(
        await control.administration.deleteAccount(call.caller.actor, refOf(place.kind, call)),
      ),
  });
}

/** Text of a query as administration takes it. */
export function listQuery(
  kind: AccountKind,
  query: z.output<z.ZodObject<typeof parameters.serviceAccountQuery>>,
): AccountQuery {
  const { neverUsed, lastUsed, ...rest } = query;
  return {
    kind,
    ...defined(rest),
    ...defined({ neverUsed: flag(neverUsed), lastUsed: flag(lastUsed) }),
  };
}

function flag(text: 'true' | 'false' | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'true';
}
