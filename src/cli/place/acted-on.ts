/**
 * Of one process, which runs one command: the place that it acts on, in words. Questions name it,
 * so that nobody says yes to another one.
 */
let words: () => string | null = () => null;

/** @param place looked for when somebody is asked; null: the command acts on none */
export function actOn(place: () => string | null): void {
  words = place;
}

export function placeActedOn(): string | null {
  return words();
}
