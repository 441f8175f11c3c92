import type { AccountFacts, RouteFacts, VerdictFacts } from './call-facts.ts';
import { accountJson, fieldJson, isObject, NO_ACCOUNT, PERMIT, routeJson } from './call-json.ts';

/*
 * What events say of an account and of a route: written once for each, as bytes, and kept with it.
 */

const NOTHING = new Uint8Array(0);

/** What is written of an account, in any event. */
export interface PlainAccount {
  /** The field, behind a comma. */
  readonly account: string;
  /** The same and the reason, in the outcome of a call that ended well. */
  readonly endedWell: Uint8Array;
  /** The token that `permit` names. */
  tokenId: string | null;
  /** From the account to the reason, in the decision of a permit. */
  permit: Uint8Array;
}

const accounts = new WeakMap<AccountFacts, PlainAccount>();
const routeBlocks = new WeakMap<RouteFacts, Uint8Array>();
const nobody = plainOf(NO_ACCOUNT);

export function plainAccount({ account: principal, tokenId }: VerdictFacts): PlainAccount {
  const account = principal?.account;
  let plain: PlainAccount | undefined = nobody;
  if (isObject(account)) {
    plain = accounts.get(account);
    if (plain === undefined) {
      plain = plainOf(`,${accountJson(account)}`);
      accounts.set(account, plain);
    }
  }
  if (plain.tokenId !== tokenId) {
    plain.permit = permitBlock(plain.account, tokenId);
    plain.tokenId = tokenId;
  }
  return plain;
}

function plainOf(account: string): PlainAccount {
  const endedWell = Buffer.from(`${account},"reason":"permitted"`);
  return { account, endedWell, tokenId: null, permit: permitBlock(account, null) };
}

function permitBlock(account: string, tokenId: string | null): Uint8Array {
  return Buffer.from(`${account}${fieldJson(',"tokenId":', tokenId)}${PERMIT}`);
}

export function routeBlock(route: RouteFacts | null): Uint8Array {
  if (!isObject(route)) return NOTHING;
  let block = routeBlocks.get(route);
  if (block === undefined) {
    block = Buffer.from(routeJson(route, null));
    routeBlocks.set(route, block);
  }
  return block;
}
