/** Builds the one pointwise kernel that is a step of an optimiser, for given formats in memory. */
import { format as formatOf, rungsOf, type ScalarFormat } from "../formats/index.ts";
import { roundingMagic, roundingMagicBits } from "../formats/log2-fixed.ts";
import { codeStorage, decodeValue, encodeValue, stepRungs } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { f32, index, select, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, output, scalar, type Input, type Output } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { momentStorage, moments, momentUniforms, type MomentPrecision } from "./moments.ts";
import type { Optimizer, Update } from "./optimizer.ts";
import type { Options } from "./options.ts";

/** Where an optimiser's numbers lie: null is float32. */
export interface StatePrecision {
  readonly weight: TensorPrecision | null;
  readonly gradient: TensorPrecision | null;
  readonly moment: MomentPrecision;
}

/** Whether a weight in this format is moved by whole rungs. */
export const onLadder = (weight: TensorPrecision | null): boolean =>
  weight !== null && rungsOf(formatOf(weight.format)) !== null;

const storageOf = (precision: TensorPrecision | null) =>
  precision ? codeStorage(formatOf(precision.format)) : ("f32" as const);

/**
 * One random word serves the three roundings of an element: each takes it from another place. The encoders look at
 * the leading bits first, and a shift by 10 or 20 leaves 22 and 12 of them.
 */
const places = { weight: 0, m: 10, v: 20 } as const;

/**
 * The kernel of one step over one tensor.
 *
 * Inputs: `w`, `g`, `scale` (σ*: bound of float weights, top rung of coded ones), `gScale` (coded gradients), `m`, `v`.
 * Outputs: `w`, `m`, `v`, in place. Uniforms: the optimiser's, those of the moments, `gain` (gradient clipping),
 * `key0`, `key1`, `phase` (random bits).
 */
export function updateKernel(
  optimizer: Optimizer,
  options: Options,
  precision: StatePrecision,
): PointwiseKernel {
  const rates = optimizer.moments(options);
  const inputs: Record<string, Input> = {
    w: element(storageOf(precision.weight)),
    g: element(storageOf(precision.gradient)),
    scale: scalar("f32"),
  };
  if (precision.gradient) inputs.gScale = scalar("f32");
  if (rates.first !== null) inputs.m = element(momentStorage(precision.moment.first));
  if (rates.second !== null) inputs.v = element(momentStorage(precision.moment.second));
  const floats = { ...optimizer.uniforms(options, 1, 1), ...momentUniforms(rates, 1), gain: 1 };
  const uniforms = {
    ...Object.fromEntries(Object.keys(floats).map((name) => [name, "f32" as const])),
    key0: "u32" as const,
    key1: "u32" as const,
    phase: "u32" as const,
  };
  const name = `${optimizer.name} step`;
  return pointwise(name, inputs, uniforms, (values) => {
    const scope = values as Readonly<Record<string, Value>>;
    const bits = randomBits(index(), scope.key0, scope.key1).add(scope.phase);
    const uniform = (key: string): Value => scope[key];
    const g = gradientValue(precision.gradient, scope).mul(scope.gain);
    const noise = { m: bits.shl(places.m), v: bits.shl(places.v) };
    const stored = { m: scope.m ?? null, v: scope.v ?? null };
    const state = moments(rates, precision.moment, { g, stored, bits: noise, uniform });
    const w = weightValue(precision.weight, scope);
    const ladder = onLadder(precision.weight);
    const format = precision.weight && ladder ? formatOf(precision.weight.format) : null;
    const bySign = (x: Value): Value => (format ? bySignBit(format, scope.w, x) : x.mul(signOf(w)));
    const update = optimizer.update(
      { w, bySign, g, m: state.m, v: state.v, uniform },
      { options, onLadder: ladder },
    );
    const kept = newWeight(precision.weight, update, w, scope, bits);
    return { w: kept, ...state.outputs };
  });
}

function gradientValue(
  precision: TensorPrecision | null,
  { g, gScale }: Readonly<Record<string, Value>>,
): Value {
  return precision ? decodeValue(formatOf(precision.format), g).mul(gScale) : g;
}

function weightValue(
  precision: TensorPrecision | null,
  { w, scale }: Readonly<Record<string, Value>>,
): Value {
  if (!precision) return w;
  const value = decodeValue(formatOf(precision.format), w);
  return onLadder(precision) ? value.mul(scale) : value;
}

const signOf = (w: Value): Value => select(w.gt(0), f32(1), select(w.lt(0), f32(-1), f32(0)));

/** Flips the sign of x by the code's sign bit, which lies just above the magnitude field. */
function bySignBit(format: ScalarFormat, code: Value, x: Value): Value {
  const sign = code.shl(31 - Math.log2(magnitudeMask(format) + 1)).and(0x80000000);
  return x.asU32().xor(sign).asF32();
}

/** The new weight in its storage. */
function newWeight(
  precision: TensorPrecision | null,
  update: Update,
  w: Value,
  scope: Readonly<Record<string, Value>>,
  bits: Value,
): Output {
  const storage = storageOf(precision);
  if (precision && onLadder(precision) && update.kind === "multiplicative") {
    return output(storage, climbed(formatOf(precision.format), precision, scope.w, update.octaves, bits));
  }
  const value =
    update.kind === "additive" ? update.weight : bounded(w.mul(update.octaves.exp2()), scope.scale);
  if (!precision) return output(storage, value);
  const unit = onLadder(precision) ? value.div(scope.scale) : value;
  return output(storage, encodeValue(formatOf(precision.format), unit, precision.rounding, bits));
}

const bounded = (w: Value, top: Value): Value => w.clamp(top.neg(), top);

/** k ← clamp(k + round(γ · Δ log₂|w|), 1, K): addition of integers, no float weight anywhere. */
function climbed(
  format: ScalarFormat,
  precision: TensorPrecision,
  code: Value,
  octaves: Value,
  bits: Value,
): Value {
  const rungsPerOctave = rungsOf(format)?.perOctave ?? 1;
  const whole =
    precision.rounding === "stochastic"
      ? nearestInteger(octaves.fma(rungsPerOctave, -1.5).add(fromOneToTwo(bits))) // ⌊x + u⌋ = round(x + u - ½)
      : nearestInteger(octaves.mul(rungsPerOctave));
  const stepped = stepRungs(format, code, whole);
  return rungsOf(format)?.hasZero ? select(code.and(magnitudeMask(format)).ne(0), stepped, code) : stepped;
}

/** A float32 in [1, 2) from the upper 23 random bits: they are its mantissa. */
const fromOneToTwo = (bits: Value): Value => bits.shr(9).or(0x3f800000).asF32();

/** |x| < 2²² rounded to the nearest integer, ties to even: adding 1.5 · 2²³ leaves it in the low bits of the sum. */
const nearestInteger = (x: Value): Value => x.add(roundingMagic).asI32().sub(roundingMagicBits);

/** Zero never moves under a multiplicative rule: its magnitude field stays 0. */
function magnitudeMask(format: ScalarFormat): number {
  return rungsOf(format)?.top ?? 0;
}
