/** What can be said of a number format in figures. */
import type { ScalarFormat } from "../../src/formats/format.ts";
import { isLogarithmic, ladderOf, stepError, type Ladder } from "./ladder.ts";

export interface FormatFacts {
  readonly name: string;
  readonly bits: number;
  /** Largest finite value, at scale 1. */
  readonly max: number;
  /** Smallest positive value of full relative precision. */
  readonly minNormal: number;
  readonly minPositive: number;
  /** Of rounding a number from `minNormal` to `max` to the nearest value. */
  readonly maxRelativeError: number;
  /** Fewest and most values in an octave [2ᵏ, 2ᵏ⁺¹) that lies wholly between `minNormal` and `max`. */
  readonly perOctave: readonly [least: number, most: number];
  readonly signed: boolean;
  readonly hasZero: boolean;
  readonly hasInf: boolean;
  readonly hasNaN: boolean;
}

/** The figures of a format, from its values. */
export function factsOf(format: ScalarFormat, ladder: Ladder = ladderOf(format)): FormatFacts {
  const { name, bits, info } = format;
  const normal = ladder.steps.filter(({ low }) => low >= info.minNormal);
  const errors = normal.map((step) => stepError(step, isLogarithmic(format)));
  return {
    name,
    bits,
    max: info.max,
    minNormal: info.minNormal,
    minPositive: info.minPositive,
    maxRelativeError: errors.reduce((most, error) => Math.max(most, error), 0),
    perOctave: perOctave(ladder),
    signed: info.signBit !== null,
    hasZero: info.zeroCode !== null,
    hasInf: info.hasInf,
    hasNaN: info.hasNaN,
  };
}

/** Of a ladder that holds no whole octave, the mean: steps by the octaves they cover. */
function perOctave({ format: { info }, values, every }: Ladder): readonly [least: number, most: number] {
  const counts: number[] = [];
  let place = values.findIndex((value) => value >= info.minNormal);
  for (let k = Math.ceil(Math.log2(info.minNormal)); 2 ** (k + 1) <= info.max; k++) {
    while (values[place] < 2 ** k) place++;
    const from = place;
    while (values[place] < 2 ** (k + 1)) place++;
    counts.push((place - from) * every);
  }
  if (counts.length > 0) return [Math.min(...counts), Math.max(...counts)];
  const normal = values.filter((value) => value >= info.minNormal);
  const mean = (normal.length - 1) / Math.log2(normal[normal.length - 1] / normal[0]);
  const rounded = Number(mean.toPrecision(9));
  return [rounded, rounded];
}

/** `Inf NaN zero signed`, those that a format has. */
export function specialsOf(facts: FormatFacts): string {
  const { hasInf, hasNaN, hasZero, signed } = facts;
  const has = [hasZero && "0", hasInf && "Inf", hasNaN && "NaN", signed ? "±" : "unsigned"];
  return has.filter((entry) => entry !== false).join(" ");
}

/** `8`, or `1 … 64` where octaves differ. */
export function octaveText([least, most]: FormatFacts["perOctave"]): string {
  const text = (value: number): string => String(Number(value.toPrecision(7)));
  return least === most ? text(most) : `${text(least)} … ${text(most)}`;
}

/** A share in three digits: `3.13 %`, `0.000005 %`. */
export function percentText(share: number): string {
  const percent = Number((100 * share).toPrecision(3));
  return `${percent < 1e-4 && percent > 0 ? percent.toExponential() : percent} %`;
}

/** A value in six digits: `65504`, `6.10352e-5`. */
export function valueText(value: number): string {
  const rounded = Number(value.toPrecision(6));
  return Math.abs(value) < 1e-3 ? rounded.toExponential() : String(rounded);
}
