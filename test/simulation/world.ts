import type { Clock } from '../../src/clock.ts';
import type { Timing } from '../../src/registry/timing.ts';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Happening {
  readonly atMs: number;
  readonly order: number;
  readonly owner: Process | null;
  readonly run: Deed;
}

/** What happens. False: it turned out to be nothing, so nothing can follow from it. */
// biome-ignore lint/suspicious/noConfusingVoidType: most deeds have nothing to say
type Deed = () => void | false;

/**
 * Time and chance of one run. Nothing happens but what is scheduled here, in one order that the
 * seed decides, and time stands still while it happens.
 */
export class World {
  readonly random: () => number;
  nowMs = 0;
  #order = 0;
  readonly #heap: Happening[] = [];

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** `owner`: in whose process it happens. While that is stopped, it waits. */
  after(delayMs: number, run: Deed, owner: Process | null = null): void {
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, owner, run });
  }

  async runUntil(endMs: number): Promise<void> {
    await settle();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      if (next.owner?.stopped === true) {
        next.owner.later(next.run);
        continue;
      }
      if (next.run() !== false) await settle();
    }
    this.nowMs = endMs;
  }

  #push(one: Happening): void {
    const heap = this.#heap;
    let at = heap.push(one) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(one, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = one;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(one: Happening, other: Happening): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/**
 * Until everything that was set off has come to rest: promises, and what waits for the end of this
 * turn of the loop.
 */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

const WALL_BEGIN_MS = Date.parse('2026-01-01T00:00:00Z');

/**
 * A process with clocks of its own, which can be stopped, put to sleep with its machine, and told a
 * wrong time.
 */
export class Process implements Clock {
  readonly name: string;
  readonly #world: World;
  #asleepMs = 0;
  #wallAheadMs = 0;
  #since: { readonly atMs: number; readonly asleep: boolean } | null = null;
  #waiting: Deed[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get stopped(): boolean {
    return this.#since !== null;
  }

  later(run: Deed): void {
    this.#waiting.push(run);
  }

  monotonicMs(): number {
    return this.#world.nowMs - this.#asleepMs;
  }

  wallMs(): number {
    return WALL_BEGIN_MS + this.#world.nowMs + this.#wallAheadMs;
  }

  jumpWall(byMs: number): void {
    this.#wallAheadMs += byMs;
  }

  /** SIGSTOP, or with `asleep` a suspended machine: then the monotonic clock stands still too. */
  stop(asleep: boolean): void {
    this.#since ??= { atMs: this.#world.nowMs, asleep };
  }

  /** What waited happens now, in the order in which it came. */
  resume(): void {
    if (this.#since === null) return;
    if (this.#since.asleep) this.#asleepMs += this.#world.nowMs - this.#since.atMs;
    this.#since = null;
    for (const run of this.#waiting.splice(0)) this.#world.after(0, run, this);
  }

  get timing(): Timing {
    const world = this.#world;
    return {
      sleep: (delayMs, until) =>
        new Promise((resolve) => {
          if (until?.aborted === true) resolve();
          until?.addEventListener('abort', () => resolve(), { once: true });
          world.after(delayMs, resolve, this);
        }),
      random: world.random,
    };
  }
}
