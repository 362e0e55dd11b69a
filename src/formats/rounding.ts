/** Rounding a magnitude, counted in steps of a format, to a whole number of steps: what every linear format shares. */
import type { Rounding } from "./scalar-format.ts";

function halfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** ⌊x⌋ + 1 where the fraction of x, cut to `bits` bits, and as many random bits carry over. */
function byChance(x: number, u: number, bits: number): number {
  const scale = powerOfTwo(bits);
  return Math.floor((Math.floor(x * scale) + Math.floor((u * scale) / 2 ** 32)) / scale);
}

/**
 * `steps` ≥ 0 as a whole number.
 *
 * @param steps a multiple of 2^-149 below 2^128, exact in float64.
 * @param u     32 random bits; `stochastic` takes the upper `bits` of them.
 * @param bits  resolution of `stochastic`: it goes up with probability ⌊fraction · 2^bits⌋ / 2^bits.
 */
export function roundSteps(steps: number, rounding: Rounding, u: number, bits: number): number {
  switch (rounding) {
    case "nearest-even":
      return halfEven(steps);
    case "nearest-away":
      return steps - Math.floor(steps) >= 0.5 ? Math.floor(steps) + 1 : Math.floor(steps);
    case "floor":
      return Math.floor(steps);
    case "stochastic":
      return byChance(steps, u, bits);
  }
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** ⌊log₂ x⌋ of a positive normal float64: its exponent field. */
export function floorLog2(x: number): number {
  double[0] = x;
  return (words[HIGH] >>> 20) - 1023;
}

/** 2^n, |n| ≤ 1022: the operator `**` takes longer than all the rest of an encoder. */
export function powerOfTwo(n: number): number {
  words[HIGH] = (n + 1023) << 20;
  words[1 - HIGH] = 0;
  return double[0];
}
