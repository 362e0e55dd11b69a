/** The configuration's keys as the command line knows them: dotted names, aliases, types, help. */
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import { presets } from "../../src/precision/presets.ts";
import type { ConfigNames } from "../arguments.ts";
import type { KeyHelp } from "../help.ts";
import { configSchemas, taskSchemaJson, type TaskName } from "./schema.ts";

/** How a value is read from text. `any` is JSON where it parses, else the text itself. */
export type ValueKind = "number" | "boolean" | "string" | "list" | "any";

export interface ConfigKey {
  readonly key: string;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
  readonly default: unknown;
  readonly doc: string;
}

/** Short names; each stands for a key. */
export const aliases: Readonly<Record<string, string>> = {
  data: "data.path",
  "data-dir": "data.dir",
  model: "model.name",
  context: "model.context",
  optimizer: "optimizer.name",
  lr: "optimizer.lr",
  ema: "average.decay",
  schedule: "schedule.name",
  prompt: "sample.prompt",
};

/** Keys below these are free: the optimiser's or the precision policy's own schema judges them. */
export const freePrefixes: readonly string[] = ["optimizer.", "exempt.optimizer.", "precision."];

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly description?: string;
}

/** Every key that a task's schema names, or any task's, in their order. */
export function configKeys(task?: TaskName): ConfigKey[] {
  if (task !== undefined) return leaves(taskSchemaJson(task), "");
  const all = new Map<string, ConfigKey>();
  for (const name of Object.keys(configSchemas) as TaskName[])
    for (const entry of configKeys(name)) {
      const before = all.get(entry.key);
      all.set(entry.key, before ? either(before, entry) : entry);
    }
  return [...all.values()];
}

/** Between what tasks say of a key that they share. */
const OR = "; or ";

/** A key that two tasks know: the choices of both, and what both say where they differ. */
function either(one: ConfigKey, other: ConfigKey): ConfigKey {
  const choices = [...new Set([...one.choices, ...other.choices])];
  const said = one.doc.split(OR).includes(other.doc);
  const doc = said ? one.doc : `${one.doc}${OR}${other.doc}`;
  return { ...one, choices, doc };
}

function leaves(schema: JsonSchema, prefix: string): ConfigKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]): ConfigKey[] => {
    const key = prefix + name;
    if (value.properties) return leaves(value, `${key}.`).map((leaf) => underDefault(leaf, key, value));
    const { const: only, default: fallback, description: doc = "" } = value;
    const { enum: choices = only === undefined ? [] : [only] } = value;
    return [{ key, kind: kindOf(value), choices: choicesOf(key, choices), default: fallback, doc }];
  });
}

/** Where the default of a whole object names this leaf, it is the leaf's default, and its text the leaf's. */
function underDefault(
  leaf: ConfigKey,
  parent: string,
  { default: whole, description }: JsonSchema,
): ConfigKey {
  const name = leaf.key.slice(parent.length + 1);
  const found = typeof whole === "object" && whole !== null ? Object.entries(whole) : [];
  const fallback = found.find(([key]) => key === name)?.[1] ?? leaf.default;
  return { ...leaf, default: fallback, doc: description ?? leaf.doc };
}

function choicesOf(key: string, choices: readonly string[]): readonly string[] {
  if (key === "optimizer.name" || key === "exempt.optimizer.name") return Object.keys(optimizers);
  return key === "precision" ? Object.keys(presets) : choices;
}

function kindOf({ type, anyOf = [] }: JsonSchema): ValueKind {
  if (anyOf.some((option) => option.type === "array")) return "list";
  if (anyOf.length > 0) return "any";
  if (type === "integer" || type === "number") return "number";
  return type === "boolean" || type === "string" ? type : "any";
}

/** `--gradient-clip` is `gradientClip`: flags are written both ways. */
function camelCase(written: string): string {
  return written.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What the argument parser asks. */
export function configNames(): ConfigNames {
  const keys = new Map(configKeys().map((entry) => [entry.key, entry]));
  return {
    known: [...Object.keys(aliases), ...keys.keys()],
    resolve(written) {
      const name = Object.hasOwn(aliases, written) ? aliases[written] : camelCase(written);
      const found = keys.get(name);
      if (found) return { key: name, boolean: found.kind === "boolean" };
      const free = freePrefixes.some((prefix) => name.startsWith(prefix) && name.length > prefix.length);
      return free ? { key: name, boolean: false } : undefined;
    },
  };
}

/** The rows of the help, the optimisers' own options at the end. */
export function keysHelp(): KeyHelp[] {
  const shared = configKeys().map((entry): KeyHelp => ({
    key: entry.key,
    aliases: Object.keys(aliases).filter((alias) => aliases[alias] === entry.key),
    values: entry.choices.length > 0 ? entry.choices.join(" | ") : entry.kind,
    default: entry.default === undefined ? "" : JSON.stringify(entry.default),
    doc: entry.doc,
  }));
  return [
    ...shared,
    ...Object.entries(optimizers).flatMap(([name, { options }]) => ownOptions(name, options)),
  ];
}

function ownOptions(
  name: string,
  options: (typeof optimizers)[keyof typeof optimizers]["options"],
): KeyHelp[] {
  return Object.entries(options).map(([key, option]) => ({
    key: `optimizer.${key}`,
    aliases: key === "lr" ? ["lr"] : [],
    values: option.type === "choice" ? option.choices.join(" | ") : option.type,
    default: String(option.default),
    doc: `${name}: ${option.doc}`,
  }));
}
