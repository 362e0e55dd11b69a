/** Training data that cannot be used, in words that say what would do. Exit code 2 on the command line. */
export class DataError extends Error {
  override readonly name = "DataError";
  /** What was given: a path, a pattern, or the name of a built-in corpus. */
  readonly source: string;

  constructor(source: string, reason: string, cause?: unknown) {
    // A reason may be another error's message, which says whose it is too.
    super(`logrung: data "${source}": ${reason.replace(/^logrung: /, "")}`, { cause });
    this.source = source;
  }
}
