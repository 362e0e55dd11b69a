/** The contract of a scalar number format: a finite ladder of values, each with its code. */
import { suggestion } from "./nearest-name.ts";

/**
 * - `nearest-even` the nearest value (in the format's own measure: log distance for log formats), ties to even.
 * - `stochastic`   one of the two neighbours, by random bits, right on average (in the same measure).
 */
export type Rounding = "nearest-even" | "stochastic";

/** Every rounding, for validation. */
export const roundings: readonly Rounding[] = ["nearest-even", "stochastic"];

/**
 * How codes are made of bits, as data. Programs that encode and decode are built from this alone, so a format
 * whose coding is of a known kind needs no further code.
 */
export type Coding =
  | { readonly kind: "float32" }
  /** The leading 1 + 8 + `mantissaBits` bits of a float32. */
  | { readonly kind: "float"; readonly exponentBits: 8; readonly mantissaBits: number }
  /**
   * A sign bit above (when `signed`) and a magnitude field k: 0 is zero, 1 … `rungs` is 2^((k - rungs) / rungsPerOctave).
   */
  | {
      readonly kind: "ladder";
      readonly signed: boolean;
      /** γ, a power of two from 1 to 2048. */
      readonly rungsPerOctave: number;
      /** K, the top rung; one less than a power of two. */
      readonly rungs: number;
    };

export interface FormatInfo {
  /** Largest finite value. */
  readonly max: number;
  /** Smallest positive value of full relative precision. */
  readonly minNormal: number;
  readonly minPositive: number;
  readonly hasInf: boolean;
  readonly hasNaN: boolean;
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
