export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Replaces `${VARIABLE}` and `${VARIABLE:-default}`, once: what a variable holds is not looked into
 * again. The default is for a variable that is not set or empty, as in a shell, and ends at the
 * first `}`. `$${` stands for a literal `${`. A variable that is not set and has no default is a
 * fault, because a gate that starts with half its settings is worse than none. The faults name
 * variables, never what they hold.
 */
export function substitute(
  written: string,
  environment: Environment,
): { readonly text: string; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const text = written.replace(
    REFERENCE,
    (whole, inner: string | undefined, end: string | undefined) => {
      if (inner === undefined) return '${';
      const [, name, byDefault] = end === '}' ? (VARIABLE.exec(inner) ?? []) : [];
      if (name === undefined) {
        faults.push('expected $ and a variable name in braces');
        return whole;
      }
      // Own names only: `toString` is in every object.
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (byDefault !== undefined) return value === undefined || value === '' ? byDefault : value;
      if (value !== undefined) return value;
      faults.push(`the environment variable ${name} is not set`);
      return whole;
    },
  );
  return { text, faults };
}

/** Whether the value comes from the environment as a whole, and from nowhere else. */
export function isReference(written: string): boolean {
  return /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(written);
}

/** Whether any of the value comes from the environment. */
export function hasReference(written: string): boolean {
  return /(?<!\$)\$\{/.test(written);
}
