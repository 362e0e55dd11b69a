/** The contract of a scalar number format: a finite ladder of values, each with its code. */
import { suggestion } from "./nearest-name.ts";

/**
 * - `nearest-even` the nearest value (in the format's own measure: log distance for log formats), ties to even codes.
 * - `nearest-away` the nearest value, ties to the larger magnitude. Log formats have no ties: there it is the same.
 * - `floor`        the value whose magnitude is the next smaller one: rounding towards zero.
 * - `stochastic`   one of the two neighbours, by random bits, right on average (in the same measure).
 */
export type Rounding = "nearest-even" | "nearest-away" | "floor" | "stochastic";

/** Every rounding, for validation. */
export const roundings: readonly Rounding[] = ["nearest-even", "nearest-away", "floor", "stochastic"];

/** Sign, exponent field, mantissa field, from the highest bit down; exponent field 0 is subnormal. */
export interface FloatCoding {
  readonly kind: "float";
  /** With 8 bits and a bias of 127 the codes are the leading bits of a float32. */
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** `ieee`: the last exponent field is Inf and NaN; `nan`: only all ones is NaN; `none`: every code is finite. */
  readonly specials: "ieee" | "nan" | "none";
  /** What becomes of too large a number, and of Inf: Inf, or the largest finite number of its sign. */
  readonly overflow: "infinity" | "saturate";
}

/** Two's complement times 2^-`fractionBits`; encoders never give the most negative code. */
export interface IntegerCoding {
  readonly kind: "integer";
  readonly bits: number;
  readonly fractionBits: number;
}

/** 2^(code - bias) without a sign; all ones is NaN. */
export interface PowerCoding {
  readonly kind: "power-of-two";
  readonly exponentBits: number;
  readonly bias: number;
}

/**
 * A sign bit above (when `signed`) and a magnitude field k: 0 is zero, 1 … `rungs` is 2^((k - rungs) / rungsPerOctave).
 */
export interface LadderCoding {
  readonly kind: "ladder";
  readonly signed: boolean;
  /** γ, a power of two from 1 to 2048. */
  readonly rungsPerOctave: number;
  /** K, the top rung; one less than a power of two. */
  readonly rungs: number;
}

/** A sign bit above a magnitude field f: e^(-(K - f) · step), K = 2^`magnitudeBits` - 1. There is no zero. */
export interface NaturalLadderCoding {
  readonly kind: "natural-ladder";
  readonly magnitudeBits: number;
  /** η₀, the natural logarithm of the ratio of neighbours: exactly what this number prints as in decimal. */
  readonly step: number;
}

/**
 * A list of values. With the key of a float32 b being its bits as an i32, those below the sign inverted when it is
 * negative (so keys rise as numbers do, and -0 is just below 0), a number goes to the code at
 * `codes`[how many thresholds are ≤ its key].
 */
export interface TableCoding {
  readonly kind: "table";
  readonly bits: number;
  /** Value of every code, by code. */
  readonly values: Float64Array;
  /** The codes that numbers encode to, by rising value; infinities are not among them. */
  readonly codes: Uint32Array;
  /** Rising keys, one fewer than codes, for each rounding; `stochastic` starts from `floor`. */
  readonly thresholds: Readonly<Record<"nearest-even" | "nearest-away" | "floor", Int32Array>>;
  /** Codes of NaN and the infinities: their own, or what stands in for them. */
  readonly nan: number;
  readonly infinity: number;
  readonly negativeInfinity: number;
}

/**
 * How codes are made of bits, as data. Programs that encode and decode are built from this alone, so a format
 * whose coding is of a known kind needs no further code.
 */
export type Coding =
  | { readonly kind: "float32" }
  | FloatCoding
  | IntegerCoding
  | PowerCoding
  | LadderCoding
  | NaturalLadderCoding
  | TableCoding;

export interface FormatInfo {
  /** Largest finite value. */
  readonly max: number;
  /** Smallest positive value of full relative precision; for integers and tables the same as `minPositive`. */
  readonly minNormal: number;
  readonly minPositive: number;
  readonly hasInf: boolean;
  readonly hasNaN: boolean;
  /** The code of zero; null where there is none. */
  readonly zeroCode: number | null;
  /** Place of the sign bit, 0 the lowest; null when unsigned. */
  readonly signBit: number | null;
}

/** A number format whose elements stand alone. Codes decide, floats do not. */
export interface ScalarFormat {
  readonly name: string;
  /** Bits of one code: 1 to 16, or 32. */
  readonly bits: number;
  readonly info: FormatInfo;
  readonly coding: Coding;
  /** Exact value of a code at scale 1 (float64). */
  decode(code: number): number;
  /**
   * The code of `x`, which is first rounded to float32: encoders are defined on float32.
   *
   * @param u 32 random bits for `stochastic`, as an unsigned number; unused otherwise.
   */
  encode(x: number, rounding: Rounding, u: number): number;
}

/** Formats that share a pattern of names and the code behind them. */
export interface FormatFamily {
  readonly pattern: RegExp;
  /** Names that parse, typical ones first. */
  readonly examples: readonly string[];
  /** @throws UnknownFormatError when the name fits the pattern but its numbers are out of range. */
  parse(name: string): ScalarFormat;
}

/** Thrown for a name that is no format. */
export class UnknownFormatError extends RangeError {
  override name = "UnknownFormatError";
  readonly format: string;
  constructor(format: string, known: readonly string[], reason?: string) {
    const detail = reason === undefined ? suggestion(format, known) : `(${reason})`;
    super(`logrung: unknown format "${format}" ${detail}`);
    this.format = format;
  }
}
