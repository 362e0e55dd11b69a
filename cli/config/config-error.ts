/** Complaints about a configuration. Exit code 2. */
import type { core } from "zod";
import { suggestion } from "../../src/formats/nearest-name.ts";

/** The configuration has an unknown key or a wrong value. Every fault is named, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.map((fault) => `logrung: ${fault}`).join("\n"));
    this.faults = faults;
  }
}

/**
 * A zod issue in our words: the key, what came, what would do.
 *
 * @param input  the configuration as given, to show what came.
 * @param known  keys of the object an unknown key was found in.
 */
export function faultsOf(
  issue: core.$ZodIssue,
  input: unknown,
  known: (path: string) => readonly string[],
): string[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const prefix = path === "" ? "" : `${path}.`;
    return issue.keys.map((key) => `unknown key "${prefix}${key}" ${suggestion(prefix + key, known(path))}`);
  }
  const came = JSON.stringify(at(input, issue.path)) ?? "missing";
  if (issue.code === "invalid_value") {
    return [`"${path}" is ${came} ${suggestion(came, issue.values.map(String))}`];
  }
  return [`"${path}" is ${came}, wants ${wish(issue)}`];
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

function wish(issue: core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : `${article(issue.expected)} ${issue.expected}`;
    case "too_small":
      return `${issue.inclusive === false ? ">" : ">="} ${issue.minimum}`;
    case "too_big":
      return `${issue.inclusive === false ? "<" : "<="} ${issue.maximum}`;
    case "invalid_union":
      return "text, or a list or object of the documented form";
    default:
      return issue.message;
  }
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? "an" : "a";
}
