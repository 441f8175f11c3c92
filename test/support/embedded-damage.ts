import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Account } from '../../src/account/model.ts';
import { openFolderRegistry } from '../../src/admin/folder-registry.ts';
import { systemClock } from '../../src/clock.ts';
import type { Commit } from '../../src/registry/commit.ts';
import { type RegistryStore, RegistryUnavailable } from '../../src/registry/port.ts';
import { account, commitOf, creation, idOf } from '../contract/registry-records.ts';

export interface DamageOptions {
  readonly damages: number;
  readonly accounts: number;
  readonly seed: number;
}

export interface DamageReport {
  /**
   * Damages by kind: how often nothing was noticed because nothing read was touched, and refusals.
   */
  readonly kinds: Readonly<Record<string, { whole: number; refused: number }>>;
  /** Answers: right, refused, and wrong ones, each in a line. */
  readonly right: number;
  readonly refused: number;
  readonly wrong: readonly string[];
}

/** Random numbers that a seed repeats (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Random = (below: number) => number;
/** What is done to the folder of a registry; `old`: a copy of it from before. */
type Damage = (folder: string, random: Random, old: string) => void;

const BATCH = 64;
const BYTES_MOST = 8_192;

const db = (folder: string) => join(folder, 'registry.db');
const wal = (folder: string) => `${db(folder)}-wal`;

const DAMAGES: Readonly<Record<string, Damage>> = {
  'bytes overwritten': (folder, random) => overwrite(db(folder), random),
  'file cut short': (folder, random) => truncateSync(db(folder), random(statSync(db(folder)).size)),
  'log overwritten': (folder, random) => overwrite(wal(folder), random),
  'log cut short': (folder, random) => {
    if (existsSync(wal(folder))) truncateSync(wal(folder), random(statSync(wal(folder)).size));
  },
  'log removed': (folder) => rmSync(wal(folder), { force: true }),
  'file removed': (folder) => rmSync(db(folder)),
  'old copy put in its place': (folder, _, old) => {
    cpSync(db(old), `${db(folder)}.old`);
    renameSync(`${db(folder)}.old`, db(folder));
  },
  'old copy written into it': (folder, _, old) => {
    const file = openSync(db(folder), 'r+');
    writeSync(file, readFileSync(db(old)));
    closeSync(file);
  },
  'everything put back': (folder, _, old) => {
    rmSync(wal(folder), { force: true });
    cpSync(db(old), db(folder));
  },
};

function overwrite(path: string, random: Random): void {
  if (!existsSync(path)) return;
  const size = statSync(path).size;
  const bytes = Buffer.from(Array.from({ length: 1 + random(BYTES_MOST) }, () => random(256)));
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, random(size));
  closeSync(file);
}

/**
 * Damages an embedded registry again and again, half of the times while it is in use, and asks for
 * every account by id and by name afterwards, and once more after it was closed and opened again.
 */
export async function damageEmbedded(options: DamageOptions): Promise<DamageReport> {
  const random = randomOf(options.seed);
  const base = mkdtempSync(join(tmpdir(), 'sallyport-damages-'));
  try {
    const scene = await prepare(base, options.accounts);
    const trial = new Trial(scene, random);
    const kinds = Object.keys(DAMAGES);
    for (let n = 0; n < options.damages; n += 1)
      await trial.run(kinds[n % kinds.length] ?? '', Math.floor(n / kinds.length) % 2 === 1, n);
    return trial;
  } finally {
    rmSync(base, { recursive: true });
  }
}

interface Scene {
  readonly base: string;
  /** Closed long ago, with fewer accounts. */
  readonly old: string;
  /** As a crash leaves it: with changes in its log. */
  readonly crashed: string;
  readonly truth: readonly Account[];
}

/** A folder as a crash leaves it, an old copy of it, and all accounts that it holds. */
async function prepare(base: string, accounts: number): Promise<Scene> {
  const [living, old, crashed] = ['living', 'old', 'crashed'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(living);
  const made = Array.from({ length: accounts }, (_, index) =>
    account(index + 1, { role: 'administrator', description: 'd'.repeat(400) }),
  );
  let store = await openIn(living);
  await commitAll(store, made.slice(0, accounts / 2));
  await store.close();
  cpSync(living, old, { recursive: true });
  store = await openIn(living);
  await commitAll(store, made.slice(accounts / 2));
  cpSync(living, crashed, { recursive: true });
  await store.close();
  return { base, old, crashed, truth: made };
}

async function openIn(folder: string): Promise<RegistryStore> {
  return (await openFolderRegistry(folder, systemClock, true)).store;
}

async function commitAll(store: RegistryStore, accounts: readonly Account[]): Promise<void> {
  await store.snapshot();
  for (let at = 0; at < accounts.length; at += BATCH)
    await store.commit(together(accounts.slice(at, at + BATCH).map(creation)));
}

function together(commits: readonly Commit[]): Commit {
  return commitOf(
    commits.flatMap(({ changes }) => changes),
    {
      claims: { take: commits.flatMap(({ claims }) => claims.take), drop: [] },
      references: { add: commits.flatMap(({ references }) => references.add), remove: [] },
    },
  );
}

class Trial implements DamageReport {
  readonly kinds: Record<string, { whole: number; refused: number }> = {};
  right = 0;
  refused = 0;
  readonly wrong: string[] = [];
  readonly #scene: Scene;
  readonly #random: Random;

  constructor(scene: Scene, random: Random) {
    this.#scene = scene;
    this.#random = random;
  }

  async run(kind: string, inUse: boolean, number: number): Promise<void> {
    const folder = join(this.#scene.base, `trial-${number}`);
    cpSync(this.#scene.crashed, folder, { recursive: true });
    const what = `${kind}${inUse ? ', in use' : ''}`;
    const before = this.refused;
    const damage = () => DAMAGES[kind]?.(folder, this.#random, this.#scene.old);
    if (!inUse) damage();
    await this.#ask(folder, `${number}: ${what}`, inUse ? damage : null);
    if (inUse) await this.#ask(folder, `${number}: ${what}, opened again`, null);
    this.kinds[what] ??= { whole: 0, refused: 0 };
    this.kinds[what][this.refused > before ? 'refused' : 'whole'] += 1;
    rmSync(folder, { recursive: true });
  }

  async #ask(folder: string, what: string, damage: (() => void) | null): Promise<void> {
    const store = await openIn(folder).catch(refusal);
    if (store instanceof RegistryUnavailable) {
      this.refused += 1;
      return;
    }
    try {
      if (damage !== null) {
        await store.snapshot().catch(refusal);
        damage();
      }
      await this.#askAll(store, what);
    } finally {
      await store.close();
    }
  }

  async #askAll(store: RegistryStore, what: string): Promise<void> {
    for (const truth of this.#scene.truth) {
      const { id, name } = truth;
      const byId = await store.account(id).then(({ account: found }) => found, refusal);
      this.#judge(`${what}: ${id}`, byId, truth);
      this.#judge(`${what}: ${name}`, await store.accountByName(name).catch(refusal), truth);
    }
    const all = await listed(store).catch(refusal);
    if (all instanceof RegistryUnavailable) this.refused += 1;
    else if (all === this.#scene.truth.length) this.right += 1;
    else this.wrong.push(`${what}: ${all} of ${this.#scene.truth.length} accounts are listed`);
    const unknown = await store.account(idOf(10 ** 9)).catch(refusal);
    if (unknown instanceof RegistryUnavailable) this.refused += 1;
    else this.right += 1;
  }

  #judge(what: string, found: Account | RegistryUnavailable | null, truth: Account): void {
    if (found instanceof RegistryUnavailable) this.refused += 1;
    else if (found === null) this.wrong.push(`${what}: no such account`);
    else if (isDeepStrictEqual({ ...found, version: 0 }, truth)) this.right += 1;
    else this.wrong.push(`${what}: another account than was written`);
  }
}

async function listed(store: RegistryStore): Promise<number> {
  let [cursor, count] = [null as string | null, 0];
  do {
    const page: Awaited<ReturnType<RegistryStore['accounts']>> = await store.accounts({
      cursor,
      limit: 500,
    });
    count += page.items.length;
    cursor = page.next;
  } while (cursor !== null);
  return count;
}

/** Anything but an unavailable registry is a fault of ours. */
function refusal(fault: unknown): RegistryUnavailable {
  if (fault instanceof RegistryUnavailable) return fault;
  throw fault;
}
