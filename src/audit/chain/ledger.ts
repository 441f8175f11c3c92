/** A key that has signed heads of this log. */
export interface KnownKey {
  readonly key: string;
  /** SPKI in DER, base64url. */
  readonly publicKey: string;
  /** Who has registered it, and when (UTC). */
  readonly instance: string;
  readonly time: string;
}

/**
 * What the store keeps beside the record: up to where each instance has signed, and with which key.
 * Without it, nobody could tell a log whose newest events were taken away from one that ends there.
 * Whatever goes wrong here holds up no event. All of them throw `AuditUnavailable`.
 */
export interface HeadLedger {
  /** @param line the newest signed head of an instance, as it stands in the record */
  keepHead(instance: string, line: string): Promise<void>;
  keepKey(key: KnownKey): Promise<void>;
  /** Forgets heads older than this: nothing that they vouch for is kept any more. */
  forgetHeads(beforeMs: number): Promise<void>;
  heads(): Promise<readonly string[]>;
  keys(): Promise<readonly KnownKey[]>;
}

export function knownKeyIn(json: string): KnownKey | null {
  try {
    const { key, publicKey, instance, time } = JSON.parse(json) as Partial<KnownKey>;
    const texts = [key, publicKey, instance, time].every((text) => typeof text === 'string');
    return texts ? ({ key, publicKey, instance, time } as KnownKey) : null;
  } catch {
    return null;
  }
}
