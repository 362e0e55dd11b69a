/** What `logrung quantize` is asked to do, from its options. */
import {
  blockFormat,
  type BlockFormat,
  blockScaleRules,
  type BlockScaleRule,
  type BlockSize,
  blockSizes,
} from "../../src/formats/block-format.ts";
import { type Rounding, roundings, type ScalarFormat } from "../../src/formats/format.ts";
import { suggestion } from "../../src/formats/nearest-name.ts";
import type { CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import { lookUpFormat } from "../formats/look-up.ts";

/**
 * A format with its scales: `none` is 1; `tensor` and `channel` map the largest magnitude of all, or of each line along
 * the axis, to the format's largest value (with `from` rms: three root mean squares); a number is always that one.
 */
export type PlannedFormat =
  | { readonly kind: "block"; readonly name: string; readonly format: BlockFormat }
  | {
      readonly kind: "scalar";
      readonly name: string;
      readonly format: ScalarFormat;
      readonly scale: "none" | "tensor" | "channel" | number;
      /** What a computed scale is taken from, and whether it is rounded up to a power of two. */
      readonly from: "max" | "rms";
      readonly powerOfTwo: boolean;
    };

export interface QuantizePlan {
  readonly formats: readonly PlannedFormat[];
  readonly rounding: Rounding;
  /** Along which blocks and channels run; negative counts from the last. */
  readonly axis: number;
  readonly seed: number;
  /** Whether NaN and Inf are counted and left out of the statistics; else they are refused. */
  readonly allowNonFinite: boolean;
}

type Values = CommandContext["values"];

/**
 * Reads the options.
 *
 * @throws UsageError for a value that is not possible, or an option that no format asked for makes use of.
 * @throws UnknownFormatError, BlockFormatError for a format that is none.
 */
export function quantizePlan(values: Values): QuantizePlan {
  const names = textOf(values, "format")?.split(",").filter(Boolean) ?? [];
  if (names.length === 0) {
    throw new UsageError(
      "quantize to which format? --format lns8-g8,mxfp8-e4m3; logrung formats lists them all",
    );
  }
  const formats = [...new Set(names)].map((name) => plannedFormat(name, values));
  const unused = ["block", "scale-rule"].find((key) => values[key] !== undefined);
  if (unused !== undefined && formats.every(({ kind }) => kind === "scalar")) {
    throw new UsageError(`--${unused} is for block scales: give a block format, or --scale block`);
  }
  const idle = ["from", "power-of-two"].find((key) => values[key] !== undefined);
  if (idle !== undefined && !formats.some(hasComputedScale)) {
    throw new UsageError(`--${idle} is for scales found from the values: give --scale tensor or channel`);
  }
  return {
    formats,
    rounding: choiceOf(values, "rounding", roundings) ?? "nearest-even",
    axis: wholeNumberOf(values, "axis", -1),
    seed: wholeNumberOf(values, "seed", 0),
    allowNonFinite: choiceOf(values, "nan", ["refuse", "allow"]) === "allow",
  };
}

const hasComputedScale = (planned: PlannedFormat): boolean =>
  planned.kind === "scalar" && (planned.scale === "tensor" || planned.scale === "channel");

function plannedFormat(name: string, values: Values): PlannedFormat {
  const scale = scaleOf(values);
  const found = lookUpFormat(name);
  if (found.kind === "block" && scale !== undefined && scale !== "block") {
    throw new UsageError(`${name} has a scale for every block of its own: leave out --scale=${scale}`);
  }
  if (found.kind === "block" || scale === "block") {
    return { kind: "block", name, format: blockFormat(name, blockOptions(values)) };
  }
  const from = choiceOf(values, "from", ["max", "rms"]) ?? "max";
  const powerOfTwo = values["power-of-two"] === true;
  return {
    kind: "scalar",
    name,
    format: found.format,
    scale: scale ?? usualScale(found.format),
    from,
    powerOfTwo,
  };
}

/** Formats whose range is that of float16 or wider need no scale; 65504 is float16's largest value. */
const usualScale = ({ info }: ScalarFormat): "none" | "tensor" => (info.max >= 65504 ? "none" : "tensor");

function blockOptions(values: Values): { block?: BlockSize; scaleRule?: BlockScaleRule } {
  const block = choiceOf(values, "block", blockSizes.map(String));
  const scaleRule = choiceOf(values, "scale-rule", blockScaleRules);
  return {
    ...(block !== undefined && { block: Number(block) as BlockSize }),
    ...(scaleRule !== undefined && { scaleRule }),
  };
}

const scaleRules = ["none", "tensor", "channel", "block"] as const;

function scaleOf(values: Values): (typeof scaleRules)[number] | number | undefined {
  const text = textOf(values, "scale");
  const number = Number(text);
  if (text === undefined || Number.isNaN(number)) return choiceOf(values, "scale", scaleRules);
  const usable = Math.fround(number) >= 2 ** -126 && Math.fround(number) < Infinity;
  if (usable) return Math.fround(number);
  throw new UsageError(`--scale is ${text}, wants a positive number in the range of float32`);
}

function textOf(values: Values, key: string): string | undefined {
  const value = values[key];
  return typeof value === "string" ? value : undefined;
}

function choiceOf<T extends string>(values: Values, key: string, known: readonly T[]): T | undefined {
  const text = textOf(values, key);
  const found = known.find((candidate) => candidate === text);
  if (text === undefined || found !== undefined) return found;
  throw new UsageError(`--${key} is "${text}" ${suggestion(text, known)}`);
}

function wholeNumberOf(values: Values, key: "axis" | "seed", fallback: number): number {
  const text = textOf(values, key);
  const value = Number(text ?? fallback);
  const least = key === "seed" ? 0 : Number.NEGATIVE_INFINITY;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${key} is "${text ?? ""}", wants a whole number${key === "seed" ? " >= 0" : ""}`);
}
