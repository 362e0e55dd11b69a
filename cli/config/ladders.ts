/** Ladders that weights lie on where no precision is asked for, and the options that a ladder decides. */
import { suggestion } from "../../src/formats/nearest-name.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Options } from "../../src/optim/options.ts";
import { variantOf } from "../../src/optim/rule.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { JsonObject } from "../../src/train/json.ts";
import { ConfigError } from "./config-error.ts";
import type { OptimizerConfig } from "./resolve.ts";

/** An optimiser of the registry. @throws ConfigError naming the nearest one. @param key  what names it. */
export function optimizerNamed(key: string, name: string): Optimizer {
  const known: Readonly<Record<string, Optimizer>> = optimizers;
  if (Object.hasOwn(known, name)) return known[name];
  throw new ConfigError([`"${key}.name" is "${name}" ${suggestion(name, Object.keys(known))}`]);
}

/** The widest magnitudes that a natural ladder has a format for. */
const bitsOf = { least: 3, most: 15 } as const;

/**
 * Weights of B-bit Madam as published: on the ladder of `base` and `levels`, whose codes have B bits and a sign, rounded to
 * the nearest rung; everything else in float32.
 */
function bitMadam({ base, levels }: Options): JsonObject {
  const bits = Math.log2(Number(levels));
  if (!Number.isInteger(bits) || bits < bitsOf.least || bits > bitsOf.most)
    throw new ConfigError([
      `"optimizer.levels" is ${levels}, wants a power of two from ${2 ** bitsOf.least} to ${2 ** bitsOf.most}; ` +
        'or "precision" fp32, which walks any number of rungs',
    ]);
  return {
    preset: "fp32",
    update: { format: `lns${bits}-eta${base}`, rounding: "nearest-even", scale: "tensor" },
  };
}

const usual: Readonly<Record<string, string | ((options: Options) => JsonObject)>> = {
  "lns-madam": "state8",
  "integer-madam": bitMadam,
  rung: "rung8",
};

/** The policy where none is asked for: optimisers that move weights by rungs start with weights on a ladder. */
export function usualPrecision({ name, ...options }: OptimizerConfig): string | JsonObject {
  const found = Object.hasOwn(usual, name) ? usual[name] : "fp32";
  return typeof found === "string" ? found : found(options);
}

/** The options that the ladder of a precision's weights decides. */
function decided({ name, ...options }: OptimizerConfig, precision: string | JsonObject): Options {
  const { update } = parsePolicy(precision);
  return optimizerNamed("optimizer", name).ladderOptions?.(variantOf(options, update)) ?? {};
}

/** The optimiser as it runs: with the ladder's values of the options that it decides. */
export const onItsLadder = (optimizer: OptimizerConfig, precision: string | JsonObject): OptimizerConfig => ({
  ...optimizer,
  ...decided(optimizer, precision),
});

/** Options are decimals, a ladder's values roots. */
const NEAR = 1e-6;

/**
 * Refuses options that the weights' ladder decides otherwise.
 *
 * @param given  the options that were asked for.
 * @throws ConfigError naming option, ladder and its value.
 */
export function checkLadder(
  key: string,
  given: Readonly<Record<string, unknown>>,
  optimizer: OptimizerConfig,
  precision: string | JsonObject,
): void {
  const format = parsePolicy(precision).update?.format;
  const faults = Object.entries(decided(optimizer, precision)).flatMap(([name, own]) => {
    const asked = given[name];
    if (typeof asked !== "number" || Math.abs(asked - Number(own)) <= NEAR * Number(own)) return [];
    return [
      `"${key}.${name}" is ${asked}, but the weights lie on ${format}, whose own is ${Number(Number(own).toPrecision(6))}: ` +
        "leave it out, or choose another precision",
    ];
  });
  if (faults.length > 0) throw new ConfigError(faults);
}
