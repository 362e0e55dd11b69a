/** The contract of a verb: one file in `commands/`, exporting `command`. */

/** Where text goes: stdout (data only) or stderr (progress and complaints). */
export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** An option of a verb, as `--name` or `--name=value`. */
export interface OptionSpec {
  readonly name: string;
  readonly type: "boolean" | "string";
  /** What stands for the value in the help: `<run>`. */
  readonly placeholder?: string;
  readonly doc: string;
  /** Values of an option given several times are joined by commas; else the last one counts. */
  readonly repeats?: true;
}

/** `--key=value` for a key of the training configuration; the value is still text. */
export interface ConfigAssignment {
  /** The full key, aliases resolved: `optimizer.lr`. */
  readonly key: string;
  readonly value: string;
}

/** What a verb is given. Everything it needs from the process comes this way, so tests can run it in place. */
export interface CommandContext {
  readonly positionals: readonly string[];
  /** Options that were given, by name; of an option given twice the last counts, if it does not repeat. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  /** In the order given; empty unless the command has `takesConfig`. */
  readonly config: readonly ConfigAssignment[];
  /** `--json` was given: stdout gets exactly one JSON value. */
  readonly json: boolean;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by Ctrl-C or SIGTERM: save and return. A second Ctrl-C ends the process at once. */
  readonly signal: AbortSignal;
}

/**
 * A verb. Its module loads at every start of the program: what is heavy (zod, the backend) is imported inside
 * `run`.
 */
export interface Command {
  readonly name: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** What comes after `logrung`: `train <recipe | config.json> [--key=value …]`. */
  readonly usage: string;
  readonly options: readonly OptionSpec[];
  /** Whole command lines, shown by `--help`. */
  readonly examples: readonly string[];
  /** Takes `--key=value` for every key of the training configuration. */
  readonly takesConfig?: boolean;
  /** @returns the exit code; nothing is 0. Errors thrown end the program with a message and code 1 or 2. */
  run(context: CommandContext): Promise<number | void>;
}

/** Options that every verb has. */
export const commonOptions: readonly OptionSpec[] = [
  { name: "json", type: "boolean", doc: "one JSON value on stdout, for machines" },
  { name: "help", type: "boolean", doc: "this text" },
];
