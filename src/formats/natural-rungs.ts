/** The numbers behind a ladder of steps e^η₀: rung values and rounding thresholds, exact. */
import { float32Bits, float32OfBits } from "./float32-bits.ts";
import { log2Fixed } from "./log2-fixed.ts";
import type { NaturalLadderCoding } from "./scalar-format.ts";

/** Fractional bits below; the lowest rung is above 2^-126, and 2^15 products lose less than 15 bits more. */
const FRACTION = 256n;
const ONE = 1n << FRACTION;

/** e^-x in fixed point, by halving x until the series is short, and squaring back. */
function exponential(x: bigint): bigint {
  let halvings = 0n;
  while (x >> halvings > ONE >> 4n) halvings++;
  const y = x >> halvings;
  let sum = 0n;
  for (let term = ONE, k = 1n; term !== 0n; k++) {
    sum += term;
    term = (-term * y) / (k << FRACTION);
  }
  for (let i = 0n; i < halvings; i++) sum = (sum * sum) >> FRACTION;
  return sum;
}

/** A decimal fraction in fixed point. */
function decimal(digits: string): bigint {
  const [whole, places = ""] = digits.split(".");
  return (BigInt(whole + places) << FRACTION) / 10n ** BigInt(places.length);
}

/** A fixed point number to the nearest float64. */
const toNumber = (x: bigint): number => Number(x) * 2 ** -Number(FRACTION);

/** Bits of the smallest float32 above x, which is none. */
function bitsAbove(x: bigint): number {
  const near = Math.fround(toNumber(x));
  return float32Bits(near) + (BigInt(near * 2 ** Number(FRACTION)) < x ? 1 : 0);
}

export interface NaturalRungs {
  /** Values of the magnitude fields, rising to 1, correctly rounded to float64. */
  readonly values: Float64Array;
  /** Entry f: bits of the smallest float32 that rounds down to field f; entry 0 is 0. */
  readonly floors: Int32Array;
  /** Entry f: bits of the smallest float32 nearer (by its logarithm) to field f than to f - 1; entry 0 is 0. */
  readonly midpoints: Int32Array;
  /** `log2Fixed` of each rung as a float32. */
  readonly logs: Int32Array;
}

const cache = new Map<string, NaturalRungs>();

/** The rungs e^(-(K - f) η₀), f = 0 … K. Midpoints are transcendental, so no float32 ties. */
export function naturalRungs({ magnitudeBits, step }: NaturalLadderCoding): NaturalRungs {
  const name = `${magnitudeBits} ${step}`;
  let rungs = cache.get(name);
  if (!rungs) cache.set(name, (rungs = compute(2 ** magnitudeBits, decimal(String(step)))));
  return rungs;
}

function compute(count: number, step: bigint): NaturalRungs {
  const [down, half] = [exponential(step), exponential(step / 2n)];
  const values = new Float64Array(count);
  const midpoints = new Int32Array(count);
  let rung = ONE;
  for (let f = count - 1; f >= 0; f--) {
    values[f] = toNumber(rung);
    if (f > 0) midpoints[f] = bitsAbove((rung * half) >> FRACTION);
    rung = (rung * down) >> FRACTION;
  }
  const bits = Int32Array.from(values, float32Bits);
  const logs = Int32Array.from(bits, (b) => log2Fixed(float32OfBits(b)));
  return { values, midpoints, logs, floors: bits.with(0, 0) };
}
