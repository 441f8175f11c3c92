import type { WrittenOutcomes } from './ledger.ts';

/** Outcomes of which it is not on record that somebody vouches for them, and who has to. */
export interface Unvouched extends WrittenOutcomes {
  readonly voucher: string;
}

export function unvouchedJson(written: WrittenOutcomes, voucher: string): string {
  const { decidedBy, by, count, digest, step } = written;
  return JSON.stringify({ decidedBy, by, count, digest, step, voucher });
}

/** Null: it cannot be read. */
export function unvouchedFrom(json: string): Unvouched | null {
  try {
    const value = JSON.parse(json) as Partial<Unvouched>;
    const { decidedBy, by, count, digest, step, voucher } = value;
    const texts = [decidedBy, by, digest, voucher].every((text) => typeof text === 'string');
    const numbers = [count, step].every((number) => Number.isSafeInteger(number));
    return texts && numbers ? (value as Unvouched) : null;
  } catch {
    return null;
  }
}

/** As they were written. */
export function inOrder(found: readonly Unvouched[]): readonly Unvouched[] {
  return found.toSorted((a, b) => a.decidedBy.localeCompare(b.decidedBy) || a.step - b.step);
}
