/** Which combinations of format, scale and role have a meaning. */
import type { FormatTraits } from "./format-traits.ts";
import { PolicyError } from "./policy-error.ts";
import type { TensorPrecision } from "./policy.ts";

/** Operands of products and what is kept for the backward pass; the rest is the optimiser's. */
const ofPasses = ["weight", "activation", "error", "saved"];
/** What holds weights, which may do without a zero. */
const ofWeights = ["weight", "update", "embedding"];
/** What is never negative: mean squares, and parts in a weight's place, of rules that have them. */
const unsigned = ["second", "update"];

/** The last part of a path: `error` of `layers["h.*"].error`. */
const roleOf = (where: string): string => where.slice(where.lastIndexOf(".") + 1);

/**
 * @param where  the entry, as messages name it; its last part is the role.
 * @throws PolicyError saying what would do.
 */
export function checkPrecision(where: string, precision: TensorPrecision, traits: FormatTraits): void {
  const role = roleOf(where);
  const fail = (what: string, instead: string): never => {
    throw new PolicyError(`logrung: ${where}${what}: ${instead}`);
  };
  const { scale } = precision;
  const named = `.format is "${precision.format}"`;
  if (!traits.signed && !unsigned.includes(role)) {
    fail(
      named,
      "it has no negative values; it fits moment.second, and update under rules that keep weights in parts",
    );
  }
  if (!traits.hasZero && !ofWeights.includes(role)) {
    fail(named, `it has no zero; it fits ${ofWeights.join(", ")} alone`);
  }
  if (traits.block !== null && scale !== "block") {
    fail(
      `.scale is ${JSON.stringify(scale)}`,
      `${precision.format} has a scale for each block; leave scale out`,
    );
  }
  if (!ofPasses.includes(role)) checkState(where, role, precision, traits, fail);
  if (!traits.wantsScale && scale !== "none" && scale !== 1) {
    fail(`.scale is ${JSON.stringify(scale)}`, `${precision.format} has a range of its own; leave scale out`);
  }
  checkScaleOptions(precision, traits, fail);
}

type Fail = (what: string, instead: string) => never;

/** The optimiser reads and writes element by element: one scale a tensor, which for its own state it knows. */
function checkState(
  where: string,
  role: string,
  { scale, format, from, powerOfTwo }: TensorPrecision,
  traits: FormatTraits,
  fail: Fail,
): void {
  const shown = `.scale is ${JSON.stringify(scale)}`;
  if (traits.block !== null) {
    fail(`.format is "${format}"`, `blocks are for operands of products (${ofPasses.join(", ")})`);
  }
  if (scale === "channel" || scale === "block") {
    fail(shown, `wants "tensor", "none" or a power of two (others are for ${ofPasses.join(", ")})`);
  }
  if (role === "gradient") return;
  if (traits.ladder && scale === "none") {
    fail(shown, `the top rung of ${format} needs one: "tensor" or a power of two`);
  }
  if (from !== undefined || powerOfTwo !== undefined) {
    const option = from === undefined ? "powerOfTwo" : "from";
    fail(`.${option}`, `the scale of ${where} is the optimiser's; leave ${option} out`);
  }
}

/** Options of computed scales, and of scales of blocks. */
function checkScaleOptions(precision: TensorPrecision, traits: FormatTraits, fail: Fail): void {
  const { scale, from, powerOfTwo, block, scaleRule } = precision;
  const computed = scale === "tensor" || scale === "channel";
  if (!computed && from !== undefined) fail(".from", 'only a scale "tensor" or "channel" is computed so');
  if (!computed && powerOfTwo !== undefined) {
    fail(".powerOfTwo", 'only a scale "tensor" or "channel" may be rounded up; leave it out');
  }
  if (scale !== "block" && block !== undefined)
    fail(".block", 'only a scale "block" has a size; leave it out');
  if (scale !== "block" && scaleRule !== undefined)
    fail(".scaleRule", 'only a scale "block" has a rule; leave it out');
  if (traits.exact) fail(`.format is "${precision.format}"`, "float32 is null, without rounding or scale");
}
