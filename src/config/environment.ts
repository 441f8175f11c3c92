export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Replaces `${VARIABLE}`, once: what a variable holds is not looked into again. `$${` stands for a
 * literal `${`. There are no defaults: a variable that is not set is a fault, because a gate that
 * starts with half its settings is worse than none. The faults name variables, never what they
 * hold.
 */
export function substitute(
  written: string,
  environment: Environment,
): { readonly text: string; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const text = written.replace(
    REFERENCE,
    (whole, name: string | undefined, end: string | undefined) => {
      if (name === undefined) return '${';
      // Own names only: `toString` is in every object.
      const isSet = VARIABLE_NAME.test(name) && end === '}' && Object.hasOwn(environment, name);
      const value = isSet ? environment[name] : undefined;
      if (value !== undefined) return value;
      faults.push(
        end === '}' && VARIABLE_NAME.test(name)
          ? `the environment variable ${name} is not set`
          : 'expected $ and a variable name in braces',
      );
      return whole;
    },
  );
  return { text, faults };
}

/** Whether the value comes from the environment as a whole. */
export function isReference(written: string): boolean {
  return /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(written);
}
