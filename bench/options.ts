/** The words after `npm run bench --`. */
import { parseArgs } from "node:util";
import { suggestion } from "../src/formats/nearest-name.ts";

/** What the benchmark was asked to do. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly peers: boolean;
  readonly json: boolean;
  readonly save: boolean;
  readonly help: boolean;
  readonly threads: number;
  /** Names of suites; empty for those that run by default. */
  readonly only: readonly string[];
}

/** Thrown when the command line asks for what does not exist. */
export class BenchUsageError extends Error {
  override name = "BenchUsageError";
}

const specs = {
  quick: { type: "boolean" },
  peers: { type: "boolean" },
  json: { type: "boolean" },
  save: { type: "boolean" },
  help: { type: "boolean" },
  only: { type: "string", multiple: true },
  threads: { type: "string" },
} as const;

const MOST_THREADS = 64;

/**
 * @param names  suites that `--only` may name.
 * @throws BenchUsageError for unknown options and suites, naming the nearest, and for a wrong number of threads.
 */
export function parseOptions(args: readonly string[], names: readonly string[]): BenchOptions {
  const known = Object.keys(specs).map((name) => `--${name}`);
  for (const word of args.filter((arg) => arg.startsWith("-"))) {
    const name = word.split("=", 1)[0];
    if (!known.includes(name))
      throw new BenchUsageError(`logrung: bench has no option "${name}" ${suggestion(name, known)}`);
  }
  const { only = [], threads = "2", ...flags } = parse(args);
  return {
    quick: flags.quick ?? false,
    peers: flags.peers ?? false,
    json: flags.json ?? false,
    save: flags.save ?? false,
    help: flags.help ?? false,
    threads: threadsOf(threads),
    only: only.flatMap((list) => list.split(",")).map((name) => suiteOf(name, names)),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: specs }).values;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BenchUsageError(`logrung: ${why}`, { cause });
  }
}

function threadsOf(text: string): number {
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw new BenchUsageError(`logrung: --threads is "${text}", wants 1 to ${MOST_THREADS}`);
}

function suiteOf(name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  throw new BenchUsageError(`logrung: bench has no suite "${name}" ${suggestion(name, names)}`);
}
