/** Running moments of the gradient, in float32 or in codes, as part of an optimiser's program. */
import { format as formatOf, type ScalarFormat } from "../formats/index.ts";
import { codeStorage, decodeValue, encodeValue } from "../kernels/codec.ts";
import { f32, select, type StorageType, type Value } from "../kernels/program.ts";
import { output, type Output } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { MomentRates } from "./optimizer.ts";

/** Formats of the two moments; null is float32. */
export interface MomentPrecision {
  readonly first: TensorPrecision | null;
  readonly second: TensorPrecision | null;
}

/**
 * The value of the top rung of a second moment on a ladder, where the policy names none: 2⁸, so gradients up to 16
 * fit, and down to 4e-9 with 8 bits at four rungs an octave.
 */
const SECOND_MOMENT_TOP = 2 ** 8;

function secondMomentTop(precision: TensorPrecision | null): number {
  if (!precision || !isLadder(formatOf(precision.format))) return 1;
  return typeof precision.scale === "number" ? precision.scale : SECOND_MOMENT_TOP;
}

export const momentStorage = (precision: TensorPrecision | null): StorageType =>
  precision ? codeStorage(formatOf(precision.format)) : "f32";

/** Whether a format is a ladder, which needs a scale, or a float, which has its own range. */
const isLadder = (format: ScalarFormat): boolean => format.coding.kind === "ladder";

/**
 * The top rung of a coded first moment, in units of √v̂:
 *
 *   |m| / √v ≤ (1-β₁) / √((1-β₂)(1 - β₁²/β₂))   for β₁² < β₂ (Cauchy-Schwarz), with a quarter to spare for rounding
 */
export function firstMomentTop({ first, second }: MomentRates): number {
  if (first === null || second === null || first * first >= second) return 1;
  const bound = (1 - first) / Math.sqrt((1 - second) * (1 - (first * first) / second));
  return Math.max(1, 1.25 * bound);
}

/** Uniforms that {@link moments} reads at step t ≥ 1. */
export function momentUniforms({ first, second }: MomentRates, t: number): Record<string, number> {
  return {
    firstKeep: first ?? 0,
    firstCorrection: first === null ? 1 : 1 / (1 - first ** t),
    secondRate: second === null ? 0 : (1 - second) / (1 - second ** t),
  };
}

interface MomentScope {
  readonly g: Value;
  /** What memory holds: a float, or a code. */
  readonly stored: { readonly m: Value | null; readonly v: Value | null };
  readonly bits: { readonly m: Value | undefined; readonly v: Value | undefined };
  readonly uniform: (name: string) => Value;
}

export interface Moments {
  readonly m: Value;
  readonly v: Value;
  readonly outputs: Readonly<Record<string, Output>>;
}

/**
 *   v̂ ← v̂ + (1-β₂)/(1-β₂ᵗ) · (g² - v̂)       kept bias-corrected, so the first value is g² itself
 *   m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)
 *
 * The update reads v̂ before it is rounded for storage. A first moment on a ladder is kept in units of the stored
 * √v̂, m = r · √v̂: |r| is bounded whatever the gradient's size, so one fixed scale serves every weight and no
 * pass over the tensor is needed to find a maximum.
 */
export function moments(rates: MomentRates, precision: MomentPrecision, scope: MomentScope): Moments {
  const { g, stored, bits, uniform } = scope;
  const outputs: Record<string, Output> = {};
  const second = secondMoment(rates, precision.second, scope);
  if (stored.v && second.code) outputs.v = output(momentStorage(precision.second), second.code);
  if (rates.first === null || stored.m === null) return { m: g, v: second.fresh, outputs };

  const relative = precision.first && isLadder(formatOf(precision.first.format));
  const before = relative ? second.before.sqrt() : f32(1);
  const after = relative ? second.after.sqrt() : f32(1);
  const fixed = precision.first?.scale;
  const top = relative ? (typeof fixed === "number" ? fixed : firstMomentTop(rates)) : 1;
  const old = readMoment(precision.first, stored.m).mul(before).mul(top);
  const fresh = old.sub(g).fma(uniform("firstKeep"), g);
  const ratio = fresh.div(after.mul(top));
  const kept = relative ? select(after.gt(0), ratio, f32(0)) : fresh;
  outputs.m = output(momentStorage(precision.first), writeMoment(precision.first, kept, bits.m));
  return { m: fresh.mul(uniform("firstCorrection")), v: second.fresh, outputs };
}

/** The second moment before the step, after it, and as it will be read back. */
function secondMoment(rates: MomentRates, precision: TensorPrecision | null, scope: MomentScope) {
  const { g, stored, bits, uniform } = scope;
  if (rates.second === null || stored.v === null)
    return { before: f32(1), fresh: f32(0), after: f32(1), code: null };
  const scale = secondMomentTop(precision);
  const before = readMoment(precision, stored.v).mul(scale);
  const fresh = g.mul(g).sub(before).fma(uniform("secondRate"), before);
  const code = writeMoment(precision, fresh.mul(1 / scale), bits.v);
  const after = precision ? readMoment(precision, code).mul(scale) : fresh;
  return { before, fresh, after, code };
}

function readMoment(precision: TensorPrecision | null, stored: Value): Value {
  return precision ? decodeValue(formatOf(precision.format), stored) : stored;
}

function writeMoment(precision: TensorPrecision | null, x: Value, bits: Value | undefined): Value {
  return precision ? encodeValue(formatOf(precision.format), x, precision.rounding, bits) : x;
}
