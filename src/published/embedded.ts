import type { Clock } from '../clock.ts';
import { KEPT_MS, type PublishedBy, type PublishedStore } from './port.ts';

/**
 * For the embedded store, which one process alone has: what that process says, as long as it runs.
 */
export class EmbeddedPublished implements PublishedStore {
  readonly #clock: Clock;
  readonly #said = new Map<string, PublishedBy & { readonly text: string | null }>();
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async publish(by: PublishedBy, text: string | null): Promise<void> {
    this.#said.set(by.instance, { ...by, text });
    this.#untilMs.set(by.instance, this.#clock.monotonicMs() + KEPT_MS);
  }

  async withdraw(instance: string): Promise<void> {
    this.#said.delete(instance);
    this.#untilMs.delete(instance);
  }

  async list(): Promise<readonly PublishedBy[]> {
    return this.#kept()
      .map(({ text: _text, ...by }) => by)
      .sort((a, b) => (a.instance < b.instance ? -1 : 1));
  }

  async text(table: string): Promise<string | null> {
    return this.#kept().find((one) => one.table === table)?.text ?? null;
  }

  #kept() {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#said.values()].filter(
      ({ instance }) => nowMs < (this.#untilMs.get(instance) ?? 0),
    );
  }
}
