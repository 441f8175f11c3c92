/** What a form sent. Every value is text; a field that was not sent reads as empty. */
export class FormValues {
  readonly #fields: URLSearchParams;

  constructor(text: string) {
    this.#fields = new URLSearchParams(text);
  }

  text(name: string): string {
    return this.#fields.get(name) ?? '';
  }

  /** As typed, but for the spaces around it: names and words are pasted with them. */
  word(name: string): string {
    return this.text(name).trim();
  }

  /** One entry per line or between commas; empty ones are left out. */
  list(name: string): readonly string[] {
    return this.text(name)
      .split(/[\s,]+/)
      .filter((entry) => entry !== '');
  }

  /** Every field with its value, in the order in which they were sent. */
  entries(): readonly (readonly [name: string, value: string])[] {
    return [...this.#fields];
  }

  /** All values of a field that may come several times. */
  all(name: string): readonly string[] {
    return this.#fields.getAll(name);
  }
}

/**
 * Where to go after signing in. Only our own pages, put together anew from their parts: whatever
 * else is asked for (another host, another scheme, a path that a browser may read otherwise) leads
 * to the first page.
 */
export function safeNext(wanted: string): string {
  const [, section = '', name] =
    /^\/([a-z-]{1,20})(?:\/([A-Za-z0-9][A-Za-z0-9._-]{0,63}))?$/.exec(wanted) ?? [];
  if (!NEXT_SECTIONS.includes(section)) return '/';
  return name === undefined ? `/${section}` : `/${section}/${name}`;
}

const NEXT_SECTIONS: readonly string[] = [
  'service-accounts',
  'users',
  'roles',
  'teams',
  'activity',
  'instances',
  'profile',
  'who-can',
  'try',
  'advice',
];
