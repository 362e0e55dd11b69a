/** Elements and scales of the MX formats: what kernels must know of them, as numbers. */
import type { BlockScaleRule } from "../formats/block-format.ts";
import { float32Bits } from "../formats/float32-bits.ts";
import type { FloatCoding, IntegerCoding, Rounding } from "../formats/format.ts";

/** An element that kernels can round to: a small float, or a two's complement integer. Floats saturate. */
export type MxElement = Omit<FloatCoding, "overflow"> | IntegerCoding;

/** Any other element of at most 8 bits: the 256 values of its codes. */
export interface MxTable {
  readonly kind: "values";
  readonly values: Float32Array;
}

/** Rounding of an element, on its magnitude: `floor` is towards zero. */
export type MxRounding = Exclude<Rounding, "stochastic">;

/** Bits of a code. */
export function elementBits(element: MxElement | MxTable): number {
  if (element.kind === "values") return 8;
  return element.kind === "integer" ? element.bits : 1 + element.exponentBits + element.mantissaBits;
}

/** Bits behind the point of the finest step: every value is an integer times 2^-unitBits; 0 for tables. */
export function unitBits(element: MxElement | MxTable): number {
  if (element.kind === "values") return 0;
  return element.kind === "integer" ? element.fractionBits : element.mantissaBits + element.bias - 1;
}

/** Largest finite value. */
export function largestElement(element: MxElement): number {
  if (element.kind === "integer") return (2 ** (element.bits - 1) - 1) * 2 ** -element.fractionBits;
  const { exponentBits, mantissaBits, bias, specials } = element;
  const top = 2 ** exponentBits - 1 - bias - (specials === "ieee" ? 1 : 0);
  const lost = specials === "nan" ? 2 : 1;
  return (2 - lost * 2 ** -mantissaBits) * 2 ** top;
}

/** ⌊log₂ of the largest value⌋. */
export const largestExponent = (element: MxElement): number => exponentOf(largestElement(element));

/**
 * The largest magnitude of a code in units of the finest step: 12 for e2m1, 60 for e2m3, 128 for int8, whose
 * most negative code may turn up though no encoder makes it; Infinity for tables.
 */
export function largestInteger(element: MxElement | MxTable): number {
  if (element.kind === "values") return Infinity;
  if (element.kind === "integer") return 2 ** (element.bits - 1);
  return largestElement(element) * 2 ** unitBits(element);
}

/** The value of a code at scale 1. */
export function decodeElement(element: MxElement | MxTable, code: number): number {
  if (element.kind === "values") return element.values[code];
  const half = 2 ** (elementBits(element) - 1);
  if (element.kind === "integer") return (code >= half ? code - 2 * half : code) * 2 ** -element.fractionBits;
  const { exponentBits, mantissaBits, bias, specials } = element;
  const sign = code >= half ? -1 : 1;
  const field = Math.floor((code % half) / 2 ** mantissaBits);
  const fraction = (code % 2 ** mantissaBits) * 2 ** -mantissaBits;
  if (specials === "ieee" && field === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (specials === "nan" && code % half === half - 1) return NaN;
  return sign * (field === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (field - bias));
}

/** The element next to y, saturating: y in units of the block's scale. */
export function roundElement(element: MxElement, y: number, rounding: MxRounding): number {
  const magnitude = Math.abs(y);
  const step = stepAt(element, magnitude);
  const rounded = Math.min(roundSteps[rounding](magnitude / step) * step, largestElement(element));
  return y < 0 ? -rounded : rounded;
}

/**
 * X, the exponent of the shared scale of a block whose largest magnitude is `largest` (a float32), within
 * ±127; NaN where the block holds NaN or Inf. Subnormal maxima count as 2^-127.
 */
export function blockExponent(element: MxElement, largest: number, rule: BlockScaleRule): number {
  if (!Number.isFinite(largest)) return NaN;
  const field = (float32Bits(largest) + exponentCarry(element, rule)) >>> 23;
  return Math.min(254, Math.max(0, field - largestExponent(element))) - 127;
}

/** What is added to the bits of a largest magnitude, so that its exponent field is the rule's. */
export function exponentCarry(element: MxElement, rule: BlockScaleRule): number {
  if (rule === "floor") return 0;
  if (rule === "ceil") return 2 ** 23 - 1;
  return 2 ** (22 - (element.kind === "float" ? element.mantissaBits : element.bits - 2));
}

/** The values of the 256 codes of E8M0: 2^(code - 127), NaN for the last. */
export const e8m0Values: Float32Array = Float32Array.from({ length: 256 }, (_, code) =>
  code === 255 ? NaN : 2 ** (code - 127),
);

/** Distance of neighbours at a magnitude. */
function stepAt(element: MxElement, magnitude: number): number {
  if (element.kind === "integer") return 2 ** -element.fractionBits;
  const least = 1 - element.bias;
  const exponent = magnitude < 2 ** least ? least : exponentOf(magnitude);
  return 2 ** (exponent - element.mantissaBits);
}

const roundSteps: Readonly<Record<MxRounding, (steps: number) => number>> = {
  "nearest-even": (steps) => {
    const below = Math.floor(steps);
    const rest = steps - below;
    return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  },
  "nearest-away": (steps) => Math.floor(steps) + (steps - Math.floor(steps) >= 0.5 ? 1 : 0),
  floor: Math.floor,
};

/** ⌊log₂ x⌋, exactly. */
function exponentOf(x: number): number {
  const guess = Math.floor(Math.log2(x));
  if (2 ** guess > x) return guess - 1;
  return 2 ** (guess + 1) <= x ? guess + 1 : guess;
}
