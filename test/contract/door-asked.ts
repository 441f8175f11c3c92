import type { DoorClient, DoorExchange, DoorRequest, DoorUnderTest } from './door-under-test.ts';

/**
 * The decision endpoint for the suite of all doors: each request is asked about at `/forward-auth`,
 * by a client of another door. A question has no body, and its response is the verdict.
 */
export function askedDoor(by: DoorUnderTest): DoorUnderTest {
  return {
    ...by,
    name: `decision endpoint, ${by.name}`,
    powers: { ...by.powers, forwards: false },
    connect: async (gate) => new Asking(await by.connect({ ...gate, port: gate.decisionPort! })),
  };
}

class Asking implements DoorClient {
  readonly #client: DoorClient;

  constructor(client: DoorClient) {
    this.#client = client;
  }

  get usable(): boolean {
    return this.#client.usable;
  }

  begin({
    method,
    target,
    authority = 'api.test',
    fields = [],
  }: DoorRequest): Promise<DoorExchange> {
    return this.#client.begin({
      method: 'GET',
      target: '/forward-auth',
      authority: 'gate',
      fields: [
        ['x-forwarded-method', method],
        ['x-forwarded-proto', 'https'],
        ['x-forwarded-host', authority],
        ['x-forwarded-uri', target],
        ...fields,
      ],
    });
  }

  ended(): Promise<void> {
    return this.#client.ended();
  }

  close(): void {
    this.#client.close();
  }
}
