/** The command line, or a file that it names, cannot be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A no that needs no explanation by the registry: somebody answered a question with no. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** All that was wanted was shown: nothing is to be done any more. */
export class Shown extends Error {
  override readonly name = 'Shown';
}
