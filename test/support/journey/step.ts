/**
 * An administrator's journey through a registry, by the API and by commands. Each step throws
 * unless it finds what is there.
 */
export interface Step {
  readonly what: string;
  /** Answers what it found, in words. */
  readonly run: () => Promise<string>;
}
