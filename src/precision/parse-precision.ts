/** One entry of a policy: a format and how values come into it. */
import { BlockFormatError, blockFormat, blockScaleRules, blockSizes } from "../formats/block-format.ts";
import { roundings } from "../formats/format.ts";
import { checkPrecision } from "./check-precision.ts";
import { formatTraits, type FormatTraits } from "./format-traits.ts";
import { checkKeys, isRecord, oneOf, show } from "./parse-values.ts";
import { PolicyError } from "./policy-error.ts";
import type { LayerPolicy, ScaleRule, TensorPrecision } from "./policy.ts";

const scales = ["none", "tensor", "channel", "block"] as const;
const keys = ["format", "rounding", "scale", "from", "powerOfTwo", "block", "scaleRule"];

/** What a format takes where nothing is said: blocks their own, floats of 16 bits none, the rest one a tensor. */
const defaultScale = ({ block, wantsScale }: FormatTraits): ScaleRule =>
  block === null ? (wantsScale ? "tensor" : "none") : "block";

function parseScale(where: string, scale: unknown): ScaleRule {
  const known = scales.find((name) => name === scale);
  if (known !== undefined) return known;
  if (typeof scale === "number" && scale > 0 && Number.isInteger(Math.log2(scale))) return scale;
  throw new PolicyError(
    `logrung: ${where}.scale is ${show(scale)}, wants ${scales.map(show).join(", ")} or a power of two`,
  );
}

/**
 * An entry with its defaults filled in: rounding `nearest-even`; scale `block` for formats of blocks, `none` for
 * floats of 16 bits, else `tensor`; block sizes and rules of block scales.
 *
 * @param where  the entry's path in messages, its role last.
 * @throws PolicyError naming the entry and what would do; UnknownFormatError.
 */
export function parsePrecision(where: string, value: unknown): TensorPrecision | null {
  if (value === null || value === "fp32") return null;
  const object = typeof value === "string" ? { format: value } : value;
  if (!isRecord(object))
    throw new PolicyError(`logrung: ${where} is ${show(value)}, wants null, a format or an object`);
  checkKeys(where, object, keys);
  if (typeof object.format !== "string")
    throw new PolicyError(`logrung: ${where}.format is ${show(object.format)}, wants the name of a format`);
  const traits = formatTraits(object.format);
  const scale = object.scale === undefined ? defaultScale(traits) : parseScale(where, object.scale);
  const given = <T extends string | number | boolean>(key: string, choices: readonly T[]): T | undefined =>
    object[key] === undefined ? undefined : oneOf(`${where}.${key}`, object[key], choices);
  const from = given("from", ["max", "rms"] as const);
  const powerOfTwo = given("powerOfTwo", [true, false]);
  const block = given("block", blockSizes) ?? (scale === "block" ? (traits.block ?? 32) : undefined);
  const scaleRule = given("scaleRule", blockScaleRules);
  const precision: TensorPrecision = {
    format: traits.name,
    rounding: given("rounding", roundings) ?? "nearest-even",
    scale,
    ...(from && { from }),
    ...(powerOfTwo !== undefined && { powerOfTwo }),
    ...(block && { block }),
    ...(scaleRule && { scaleRule }),
  };
  checkPrecision(where, precision, traits);
  if (scale === "block") checkBlocks(where, precision);
  return precision;
}

/** What a format's own blocks cannot be, said with the entry's name. */
function checkBlocks(where: string, { format, block, scaleRule }: TensorPrecision): void {
  try {
    blockFormat(format, { ...(block && { block }), ...(scaleRule && { scaleRule }) });
  } catch (error) {
    if (!(error instanceof BlockFormatError)) throw error;
    throw new PolicyError(error.message.replace("logrung:", `logrung: ${where}:`), { cause: error });
  }
}

/** Formats of the two moments; one that is not named stays as it is. */
export function parseMoment(
  where: string,
  moment: unknown,
  base: LayerPolicy["moment"],
): LayerPolicy["moment"] {
  if (!isRecord(moment))
    throw new PolicyError(`logrung: ${where} is ${show(moment)}, wants { first, second }`);
  checkKeys(where, moment, ["first", "second"]);
  const entry = (which: "first" | "second"): TensorPrecision | null =>
    which in moment ? parsePrecision(`${where}.${which}`, moment[which]) : base[which];
  return { first: entry("first"), second: entry("second") };
}
