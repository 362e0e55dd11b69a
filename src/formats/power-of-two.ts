/** E8M0: the powers of two that the scales of MX blocks are. */
import { floorLog2, powerOfTwo, roundSteps } from "./rounding.ts";
import type { FormatFamily, Rounding, ScalarFormat } from "./scalar-format.ts";

const BIAS = 127;
const NAN = 255;
const LARGEST = 254;

const decode = (code: number): number => (code === NAN ? NaN : 2 ** (code - BIAS));

/**
 * The code of 2^E · (1 + f), 0 ≤ f < 1, is E + 127 with the fraction f rounded away as in any float of no mantissa bits:
 * `nearest-even` goes up from f > ½, and at ½ where E + 127 is odd; `nearest-away` from ½; `floor` never, which is the
 * exponent ⌊log₂ x⌋; `stochastic` with probability f (23 bits).
 *
 * There is no zero and no sign: 0, negative numbers and all below 2^-127 give code 0. Numbers above 2^127 and Inf give
 * 254 (MX v1.0 leaves the conversion to the scale rule; NaN blocks are that rule's business). NaN is 255.
 */
function encode(x: number, rounding: Rounding, u: number): number {
  const value = Math.fround(x);
  if (Number.isNaN(value)) return NAN;
  if (value <= 2 ** -BIAS) return 0;
  if (value === Infinity) return LARGEST;
  const exponent = floorLog2(value);
  const position = exponent + BIAS + (value * powerOfTwo(-exponent) - 1);
  return Math.min(roundSteps(position, rounding, u, 23), LARGEST);
}

const e8m0: ScalarFormat = {
  name: "e8m0",
  bits: 8,
  info: {
    max: 2 ** (LARGEST - BIAS),
    minNormal: 2 ** -BIAS,
    minPositive: 2 ** -BIAS,
    hasInf: false,
    hasNaN: true,
    zeroCode: null,
    signBit: null,
  },
  coding: { kind: "power-of-two", exponentBits: 8, bias: BIAS },
  decode,
  encode,
};

/** `e8m0`: 2^(code - 127), 255 is NaN (OCP MX v1.0, 5.4.1). */
export const family: FormatFamily = { pattern: /^e8m0$/, examples: ["e8m0"], parse: () => e8m0 };
