import { registerHooks } from 'node:module';

/** One way to get it wrong: a piece of the source, and what stands in its place. */
interface Mutant {
  /** The seed from which on it is looked for first, as it is rare; default: 0. */
  readonly near?: number;
  readonly file: string;
  readonly piece: string;
  readonly instead: string;
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  /** A renewal only reads: an old primary that was cut off gives it too. */
  fence: {
    file: 'src/registry/redis/source.ts',
    piece:
      "['PEXPIRE', lease, ttlMs],\n      ['HMGET', members, instance],\n      ...state,\n    ]);",
    instead:
      "['HMGET', members, instance],\n      ['HMGET', members, instance],\n      ...state,\n    ]); if ((known[0] as string[])[0] !== null) known[0] = 1;",
  },
  /** What was seen revoked is forgotten with everything else. */
  tombstone: {
    file: 'src/registry/revoked/revoked.ts',
    piece: '    this.#epoch = epoch;',
    instead: '    this.#epoch = epoch; this.#facts.clear();',
  },
  /** The lease is measured by a clock that can be set. */
  wall: {
    near: 88,
    file: 'src/registry/replica/lease.ts',
    piece: 'const monotonicMs = since.monotonicMs + this.leaseMs - nowMs;',
    instead: 'const monotonicMs = since.wallMs + this.leaseMs - clock.wallMs();',
  },
  /** A member is gone when the store's clock says that its lease is over. */
  expiry: {
    file: 'src/registry/redis/members.ts',
    piece: 'registered: about !== null,',
    instead:
      'registered: about !== null && Number(leases[2 * index]) % YEAR_MS <= leaseTtlMs(5_000),',
  },
  /** A member counts as silent however lately it was seen to renew. */
  hasty: {
    file: 'src/registry/receipts/silent-members.ts',
    piece: 'seen === undefined || seen.renewal !== renewal',
    instead: 'seen === undefined',
  },
  /** What is open goes on when the lease ends. */
  open: {
    near: 81,
    file: 'src/calls/open-calls.ts',
    piece: 'for (const call of this.#open.splice(0)) {',
    instead: 'for (const call of this.#open.splice(this.#open.length)) {',
  },
  /** A stopped process gives what has come meanwhile, and only then ends the calls. */
  stale: {
    near: 253,
    file: 'src/calls/open-calls.ts',
    piece: 'return this.#covers(nowMs);',
    instead: 'return nowMs !== 0;',
  },
  /** Of what a lost change took away, only tokens and activity are remembered. */
  rights: {
    near: 267,
    file: 'src/registry/revoked/fact.ts',
    piece: '...(untold && rights !== null ? { rights } : {}),',
    instead: '',
  },
  /** Of lost changes of roles and teams nothing is remembered. */
  policy: {
    file: 'src/registry/revoked/revoked.ts',
    piece: 'const fact = factOf(change, seq, known);',
    instead: "const fact = change.kind === 'account' ? factOf(change, seq, known) : null;",
  },
  /** Where it is in doubt who owns an application, its record says so. */
  team: {
    near: 159,
    file: 'src/account/policy.ts',
    piece: 'if (teams === undefined) return owner;',
    instead: 'if (teams !== null) return owner;',
  },
  /** The lease begins when the answer has come. */
  answer: {
    near: 720,
    file: 'src/registry/replica/replica.ts',
    piece: 'if (this.#lease.renewed(sent, state.seq, state.tip)',
    instead: 'if (this.#lease.renewed(momentOf(this.#clock), state.seq, state.tip)',
  },
  /** What the store has announced is acknowledged before it has come. */
  early: {
    file: 'src/registry/replica/replica.ts',
    piece: 'this.#acks.refresh();',
    instead: 'this.#acks.applied(state);',
  },
};

/**
 * From now on the named file is loaded with its mistake. Throws when the piece is not there exactly
 * once: then the source has moved on and the mutant has not.
 */
export function mutate(name: string): void {
  const mutant = MUTANTS[name];
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith(mutant.file)) return loaded;
      const source = String(loaded.source);
      if (source.split(mutant.piece).length !== 2)
        throw new Error(`the mutant ${name} does not fit ${mutant.file}`);
      return { ...loaded, source: source.replace(mutant.piece, () => mutant.instead) };
    },
  });
}
