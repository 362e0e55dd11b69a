/** From words on the command line to options, with complaints that help. */
import { parseArgs } from "node:util";
import { suggestion } from "../src/formats/nearest-name.ts";
import { type Command, commonOptions, type ConfigAssignment, type OptionSpec } from "./command.ts";
import { UsageError } from "./errors.ts";

export interface ParsedArguments {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean>>;
  readonly config: readonly ConfigAssignment[];
}

/** What the parser must know of the configuration's keys. */
export interface ConfigNames {
  /** The full key that a written name stands for (`lr` is `optimizer.lr`); undefined for an unknown one. */
  resolve(written: string): { readonly key: string; readonly boolean: boolean } | undefined;
  /** Every name that resolves, for suggestions. */
  readonly known: readonly string[];
}

const noConfig: ConfigNames = { resolve: () => undefined, known: [] };

/**
 * Parses the words after the verb.
 *
 * @throws UsageError for an unknown option (naming the nearest known one), a missing or an unwanted value.
 */
export function parseArguments(
  command: Command,
  args: readonly string[],
  names: ConfigNames = noConfig,
): ParsedArguments {
  const specs = new Map([...command.options, ...commonOptions].map((spec) => [spec.name, spec]));
  const wanted = (written: string): "boolean" | "string" => typeOf(written, specs, names);
  const options = Object.fromEntries(writtenOptions(args).map((name) => [name, { type: wanted(name) }]));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const values: Record<string, string | boolean> = {};
  const config: ConfigAssignment[] = [];
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const spec = specs.get(token.name);
    const value = token.inlineValue === false && token.value.startsWith("--") ? undefined : token.value;
    if (spec) values[spec.name] = joined(spec, values[spec.name], valueOf(spec, value));
    else config.push(assignment(command, token.name, value, specs, names));
  }
  return { positionals, values, config };
}

/** Names of the options among the words, so that each can be declared to `parseArgs` with its type. */
function writtenOptions(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args
    .slice(0, end < 0 ? undefined : end)
    .filter((word) => word.startsWith("--"))
    .map((word) => word.slice(2).split("=", 1)[0]);
}

/** An unknown option takes no word after it: it is refused anyway, and by its own name. */
function typeOf(
  written: string,
  specs: ReadonlyMap<string, OptionSpec>,
  names: ConfigNames,
): "boolean" | "string" {
  const found = names.resolve(written);
  return specs.get(written)?.type ?? (found === undefined || found.boolean ? "boolean" : "string");
}

function valueOf(spec: OptionSpec, value: string | undefined): string | boolean {
  if (spec.type === "boolean") {
    if (value === undefined) return true;
    throw new UsageError(`option "--${spec.name}" takes no value, came "${value}"`);
  }
  if (value === undefined || value === "") {
    throw new UsageError(`option "--${spec.name}" needs a value: --${spec.name}=${spec.placeholder ?? "…"}`);
  }
  return value;
}

function joined(
  { repeats }: OptionSpec,
  earlier: string | boolean | undefined,
  value: string | boolean,
): string | boolean {
  return repeats === true && typeof earlier === "string" ? `${earlier},${String(value)}` : value;
}

function assignment(
  command: Command,
  written: string,
  value: string | undefined,
  specs: ReadonlyMap<string, OptionSpec>,
  names: ConfigNames,
): ConfigAssignment {
  const found = names.resolve(written);
  if (found === undefined) {
    const known = [...specs.keys(), ...names.known].map((name) => `--${name}`);
    throw new UsageError(`${command.name} has no option "--${written}" ${suggestion(`--${written}`, known)}`);
  }
  if (value === undefined && !found.boolean) throw new UsageError(`option "--${written}" needs a value`);
  return { key: found.key, value: value ?? "true" };
}

/**
 * Checks how many words a verb was given besides its options.
 *
 * @throws UsageError with the verb's usage when there are fewer than `least` or more than `most`.
 */
export function checkPositionals(
  command: Pick<Command, "name" | "usage">,
  positionals: readonly string[],
  least: number,
  most: number,
): void {
  if (positionals.length >= least && positionals.length <= most) return;
  const what =
    positionals.length < least
      ? "is told too little"
      : `does not know what to do with "${positionals[most]}"`;
  throw new UsageError(`${command.name} ${what}; usage: logrung ${command.usage}`);
}
