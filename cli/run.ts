/** The program without its process: words in, exit code out. */
import { suggestion } from "../src/formats/nearest-name.ts";
import { type ConfigNames, parseArguments } from "./arguments.ts";
import type { Command, CommandContext } from "./command.ts";
import { exitCodeOf, exitCodes, messageOf, UsageError } from "./errors.ts";
import { commandHelp, overview } from "./help.ts";

/** What the process lends. */
export type ProgramContext = Pick<CommandContext, "stdout" | "stderr" | "env" | "cwd" | "signal"> & {
  readonly version: string;
};

/**
 * Runs one command line.
 *
 * @param args  the words after `logrung`.
 * @returns the exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
 */
export async function runProgram(
  args: readonly string[],
  commands: readonly Command[],
  context: ProgramContext,
): Promise<number> {
  try {
    const code = await dispatch(args, commands, context);
    return context.signal.aborted ? exitCodes.interrupted : code;
  } catch (error) {
    // A command that the user stopped half-way has nothing to say.
    if (context.signal.aborted && error === context.signal.reason) return exitCodes.interrupted;
    context.stderr.write(`${messageOf(error)}\n`);
    return exitCodeOf(error);
  }
}

async function dispatch(
  args: readonly string[],
  commands: readonly Command[],
  context: ProgramContext,
): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === "--version" || verb === "-v") return say(context, `${context.version}\n`);
  if (verb === "--help" || verb === "-h" || (verb === "help" && rest.length === 0)) {
    return say(context, overview(commands, context.version));
  }
  if (verb === undefined) throw new UsageError(`which verb?\n\n${overview(commands, context.version)}`);
  const name = verb === "help" ? rest[0] : verb;
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const known = commands.map((candidate) => candidate.name);
    throw new UsageError(`unknown verb "${name}" ${suggestion(name, known)}`);
  }
  return verb === "help" ? showHelp(command, context) : runCommand(command, rest, context);
}

async function runCommand(
  command: Command,
  args: readonly string[],
  context: ProgramContext,
): Promise<number> {
  if (asksForHelp(args)) return showHelp(command, context);
  const names = command.takesConfig === true ? await configNames() : undefined;
  const { positionals, values, config } = parseArguments(command, args, names);
  const { stdout, stderr, env, cwd, signal } = context;
  const json = values.json === true;
  const code = await command.run({ positionals, values, config, json, stdout, stderr, env, cwd, signal });
  return code ?? exitCodes.success;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((word) => word === "--help" || word === "-h");
}

async function showHelp(command: Command, context: ProgramContext): Promise<number> {
  const keys = command.takesConfig === true ? (await import("./config/keys.ts")).keysHelp() : [];
  return say(context, commandHelp(command, keys));
}

/** The schema library takes a fifth of a second to load: only for verbs that need it. */
async function configNames(): Promise<ConfigNames> {
  return (await import("./config/keys.ts")).configNames();
}

function say(context: ProgramContext, text: string): number {
  context.stdout.write(text);
  return exitCodes.success;
}
