/**
 * Readers for what was written, before it is known to be well-formed: rules between keys look at it
 * and stay silent about what is not as it should be, since the schema speaks about that.
 */
export type Raw = Readonly<Record<string, unknown>>;

export function group(value: unknown): Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function has(value: Raw, key: string): boolean {
  return Object.hasOwn(value, key);
}
