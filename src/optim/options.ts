/** Options of optimisers, as plain data: one description for the library, the command line and the documents. */

interface Described {
  /** One line: what it is, in which unit, why the default. */
  readonly doc: string;
}
export interface NumberOption extends Described {
  readonly type: "number";
  readonly default: number;
  /** Least allowed value, itself allowed unless `exclusive`. */
  readonly min?: number;
  readonly max?: number;
  readonly exclusive?: boolean;
}
export interface ChoiceOption extends Described {
  readonly type: "choice";
  readonly default: string;
  readonly choices: readonly string[];
}
export type OptionSchema = Readonly<Record<string, NumberOption | ChoiceOption>>;
export type Options = Readonly<Record<string, number | string>>;

/** Thrown for an unknown or ill-valued option. */
export class OptionError extends RangeError {
  override name = "OptionError";
}

/**
 * The given options over the defaults.
 *
 * @throws OptionError naming the owner, the key, what came and what is allowed.
 */
export function resolveOptions(owner: string, schema: OptionSchema, given: Options): Options {
  for (const key of Object.keys(given)) {
    if (!(key in schema)) {
      throw new OptionError(
        `logrung: ${owner} has no option "${key}" (known: ${Object.keys(schema).join(", ")})`,
      );
    }
  }
  const resolved: Record<string, number | string> = {};
  for (const [key, option] of Object.entries(schema)) {
    const value = given[key] ?? option.default;
    const complaint =
      option.type === "number" ? numberComplaint(option, value) : choiceComplaint(option, value);
    if (complaint)
      throw new OptionError(`logrung: ${owner}'s ${key} is ${JSON.stringify(value)}, wants ${complaint}`);
    resolved[key] = value;
  }
  return resolved;
}

function numberComplaint(option: NumberOption, value: number | string): string | null {
  const { min = -Infinity, max = Infinity, exclusive = false } = option;
  const low = typeof value === "number" && (exclusive ? value > min : value >= min);
  if (low && Number.isFinite(value) && Number(value) <= max) return null;
  const bounds = [
    min > -Infinity ? `${exclusive ? ">" : ">="} ${min}` : "",
    max < Infinity ? `<= ${max}` : "",
  ];
  return ["a finite number", ...bounds.filter(Boolean)].join(" ");
}

function choiceComplaint(option: ChoiceOption, value: number | string): string | null {
  return option.choices.includes(String(value)) ? null : `one of ${option.choices.join(", ")}`;
}

/** A resolved number option. */
export const numberOf = (options: Options, key: string): number => Number(options[key]);
