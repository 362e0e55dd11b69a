/** Errors measured in units in the last place of float32, and the functions whose errors are measured. */
import type { ExpandedOp } from "../../../src/kernels/math/index.ts";
import { erf } from "../../../src/kernels/reference/erf.ts";
import { exponentOf } from "../../../src/kernels/reference/narrow.ts";

/** Each operation in float64. */
export const exactly: Readonly<Record<ExpandedOp, (x: number) => number>> = {
  exp2: (x) => 2 ** x,
  log2: Math.log2,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  erf,
  reciprocal: (x) => 1 / x,
};

/** Distance between float32 neighbours at x: 2^(⌊log₂|x|⌋ - 23), and 2⁻¹⁴⁹ among subnormals. */
export const spacing = (x: number): number => 2 ** (Math.max(exponentOf(x), -126) - 23);

/**
 * How far a float32 lies from the exact value, in ulp of the exact value. What must be met exactly counts as
 * infinitely far when missed: NaN, ±Inf, and the sign of an exact zero. Above the largest float32, Inf stands
 * for 2¹²⁸.
 */
export function ulpError(got: number, exact: number): number {
  if (Number.isNaN(exact) || Number.isNaN(got))
    return Number.isNaN(exact) && Number.isNaN(got) ? 0 : Infinity;
  const rounded = Math.fround(exact);
  if (Object.is(got, rounded) && (exact === rounded || !Number.isFinite(rounded))) return 0;
  if (exact === 0 || !Number.isFinite(exact)) return Infinity;
  const reached = Number.isFinite(got) ? got : Math.sign(got) * 2 ** 128;
  return Math.abs(reached - exact) / spacing(Math.min(Math.abs(exact), 2 ** 127));
}

/** Where the functions change their ways: their neighbourhoods are looked at float by float. */
export const edges: readonly number[] = [
  0, 2 ** -149, 2 ** -127, 2 ** -126, 2 ** -125, 2 ** -30, 2 ** -12, 0.25, 0.5, 0.56, Math.SQRT1_2, 0.75, 1,
  Math.SQRT2, 1.5, 2, 2.5,
  3.92, 4, 9.02, 10, 15.5, 64, 87.336, 88.722, 103.97, 104, 126, 126.5, 127, 128, 149, 149.5, 150, 2 ** 31,
  2 ** 127,
  3.4028234663852886e38, Infinity,
]; // prettier-ignore

/** Float32 values: every `stride`-th bit pattern from `first` on. */
export function patterns(first: number, stride: number, count: number): Float32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = first + i * stride;
  return new Float32Array(bits.buffer);
}

/** The floats within `reach` patterns of each edge, of both signs. */
export function aroundEdges(reach: number): Float32Array {
  const bits = [...new Uint32Array(Float32Array.from(edges).buffer)];
  const near = bits.flatMap((at) =>
    Array.from({ length: 2 * reach + 1 }, (_, i) => Math.max(at + i - reach, 0)),
  );
  return new Float32Array(Uint32Array.from([...near, ...near.map((at) => at + 2 ** 31)]).buffer);
}
