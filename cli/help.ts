/** What `--help` says. */
import { type Command, commonOptions, type OptionSpec } from "./command.ts";

/** Rows of text, the first column as wide as its widest entry. */
export function twoColumns(rows: readonly (readonly [string, string])[], indent = "  "): string {
  const width = Math.min(34, Math.max(0, ...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}  ${right}`.trimEnd()).join("\n");
}

/** The list of verbs. */
export function overview(commands: readonly Command[], version: string): string {
  return [
    `logrung ${version}: trains neural networks whose weights live on a logarithmic ladder`,
    "",
    "usage: logrung <verb> [options]",
    "",
    "verbs:",
    twoColumns(commands.map(({ name, summary }) => [name, summary])),
    "",
    "logrung <verb> --help says more. Data goes to stdout, progress to stderr.",
    "Exit codes: 0 done, 1 failed, 2 wrong use or unreadable input, 130 Ctrl-C.",
    "",
  ].join("\n");
}

/** A key of the configuration as the help shows it. */
export interface KeyHelp {
  readonly key: string;
  readonly aliases: readonly string[];
  /** `number`, `cosine | linear`, … */
  readonly values: string;
  readonly default: string;
  readonly doc: string;
}

/** The help of one verb. `keys` are those of the configuration, where the verb takes them. */
export function commandHelp(command: Command, keys: readonly KeyHelp[] = []): string {
  const sections = [
    command.summary,
    "",
    `usage: logrung ${command.usage}`,
    "",
    "options:",
    twoColumns([...command.options, ...commonOptions].map(optionRow)),
    "",
    ...(keys.length > 0 ? [keysHelp(keys), ""] : []),
    "examples:",
    ...command.examples.map((line) => `  ${line}`),
    "",
  ];
  return sections.join("\n");
}

function optionRow({ name, type, placeholder, doc }: OptionSpec): [string, string] {
  return [type === "boolean" ? `--${name}` : `--${name} ${placeholder ?? "<value>"}`, doc];
}

function keysHelp(keys: readonly KeyHelp[]): string {
  const rows = keys.map(({ key, aliases, values, default: fallback, doc }): [string, string] => {
    const names = [...aliases.map((alias) => `--${alias}`), `--${key}`].join(", ");
    const details = [values, fallback && `default ${fallback}`].filter(Boolean).join(", ");
    return [names, `${doc} (${details})`];
  });
  return [
    "configuration (precedence: command line > config file > recipe > defaults):",
    twoColumns(rows),
  ].join("\n");
}
