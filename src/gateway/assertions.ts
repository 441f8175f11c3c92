import { Assertions, type AssertionWish } from '../assertion/assertions.ts';
import { AssertionKeys } from '../assertion/keeper.ts';
import type { KeyStore } from '../assertion/port.ts';
import { sealingWith } from '../assertion/sealing.ts';
import type { Config } from '../config/schema.ts';
import type { Check } from '../ops/readiness.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';

/** Where the keys are shared, and with what they are sealed there. */
export interface AssertionStore {
  readonly store: KeyStore;
  /** Throws the file system's errors. Null: none is configured. */
  sealingSecret(): string | null;
}

/** What tells upstreams who calls, by the configuration in force. */
export interface GateAssertions {
  /** Null: no upstream wants it. */
  readonly current: Assertions | null;
  /**
   * The JWK set by which whoever gets assertions verifies them. Undefined: there are none here.
   * Null: it cannot be told now.
   */
  keySet(): string | null | undefined;
  readonly check: Check;
  readonly prepareReload: PrepareReload;
  /**
   * Resolves once the keys have been looked for, where an upstream wants assertions. Throws where
   * they cannot be.
   */
  lookAhead(next: Config): Promise<void>;
}

const DAY_MS = 86_400_000;

/** Keys are kept from the moment on at which the first upstream wants assertions. */
export function openAssertions(
  gate: GateContext,
  { store, sealingSecret }: AssertionStore,
): GateAssertions {
  const { clock, log, state } = gate;
  let keys: AssertionKeys | null = null;
  let current: Assertions | null = null;

  const onFault = (error: Error | null) => {
    if (error === null) log.info('the keys that sign assertions can be had again');
    else log.error('the keys that sign assertions cannot be had', { error });
  };
  const openKeys = () => {
    const sealing = sealingWith(secretOr(sealingSecret()));
    // What the section says counts from the start on.
    const rotateMs = state.config.assertion.rotateDays * DAY_MS;
    return own(gate, new AssertionKeys({ store, sealing, clock, rotateMs, onFault }));
  };
  const keysFor = (wishes: ReadonlyMap<string, AssertionWish>) => {
    if (wishes.size === 0) return null;
    keys ??= openKeys();
    return keys;
  };
  const prepareReload: PrepareReload = (next) => {
    const wishes = wishesOf(next);
    const signing = keysFor(wishes);
    return () => {
      const { issuer } = state.config.assertion;
      current = signing === null ? null : new Assertions({ keys: signing, issuer, clock, wishes });
    };
  };

  prepareReload(state.config)();
  return {
    get current() {
      return current;
    },
    keySet: () => (current === null ? undefined : (keys?.published ?? null)),
    check: {
      name: 'assertion',
      result: () => {
        if (current === null || keys === null) return { state: 'ok' };
        const why = keys.problem;
        if (keys.signer === null)
          return {
            state: 'failed',
            why: `no key signs assertions${why === null ? '' : `: ${why}`}`,
          };
        return why === null ? { state: 'ok' } : { state: 'warning', why };
      },
    },
    prepareReload,
    lookAhead: async (next) => keysFor(wishesOf(next))?.looked,
  };
}

/** What a running gate cannot take over: a secret counts from the start on. */
function secretOr(secret: string | null): string {
  if (secret !== null) return secret;
  throw new TypeError(
    'assertion.sealingKeyFile counts from the next start on: without it no upstream can have assertion',
  );
}

function wishesOf({ upstreams }: Config): ReadonlyMap<string, AssertionWish> {
  const wishes = new Map<string, AssertionWish>();
  for (const { name, assertion, addresses } of upstreams) {
    if (assertion === null) continue;
    const { audience, lifetimeSeconds, bind } = assertion;
    const scheme = addresses[0]!.secure ? 'https' : 'http';
    wishes.set(name, {
      audience,
      lifetimeMs: lifetimeSeconds * 1000,
      bind: bind === 'request' ? { scheme } : null,
    });
  }
  return wishes;
}
