import { html as template } from 'hono/html';

/**
 * A piece of a page. Whatever is put into the template is escaped, in text and in quoted
 * attributes, unless it is such a piece itself; so attributes are always written in quotes.
 */
export type Html = Awaited<ReturnType<typeof template>>;

/** What may stand in a template: null, undefined and booleans leave nothing. */
export type Slot = Html | string | number | boolean | null | undefined | readonly Slot[];

/** Nothing in our templates waits: pages are put together from what has been read before. */
export function html(strings: TemplateStringsArray, ...slots: readonly Slot[]): Html {
  return template(strings, ...slots) as Html;
}

/** Joins pieces with something between them. */
export function joined(pieces: readonly Slot[], between: Slot): readonly Slot[] {
  return pieces.flatMap((piece, index) => (index === 0 ? [piece] : [between, piece]));
}
