/** How often each rung of a logarithmic ladder is used. */
import type { ScalarFormat } from "../formats/format.ts";

/**
 * Counts by magnitude and sign. Bin i holds the values in (2^(lowest + i / binsPerOctave) …) up to its own rung;
 * the last bin is the top of the ladder, the tensor's scale, where the exponent is 0.
 */
export interface LadderHistogram {
  readonly format: string;
  readonly binsPerOctave: number;
  /** log₂ of each bin's top rung over the ladder's top rung: …, -2/γ, -1/γ, 0. */
  readonly exponents: readonly number[];
  readonly positive: readonly number[];
  readonly negative: readonly number[];
  readonly zeros: number;
  /** Codes at the top rung: values that may have wanted to grow past the clamp. */
  readonly top: number;
  /** Codes at the lowest rung. */
  readonly bottom: number;
}

/** Most bins: what a screen can show. A finer ladder has neighbouring rungs counted together. */
const mostBins = 256;

/**
 * Counts codes of a ladder format (`lns8-g16`, `ulns8-g4`, …).
 *
 * @returns undefined for a format that is no ladder.
 */
export function ladderHistogram(codes: ArrayLike<number>, format: ScalarFormat): LadderHistogram | undefined {
  const { coding, info, name } = format;
  if (coding.kind !== "ladder") return undefined;
  const { rungs, rungsPerOctave } = coding;
  const rungsPerBin = 2 ** Math.max(0, Math.ceil(Math.log2(rungs / mostBins)));
  const bins = Math.ceil(rungs / rungsPerBin);
  const positive = Array.from({ length: bins }, () => 0);
  const negative = Array.from({ length: bins }, () => 0);
  const counts = { zeros: 0, top: 0, bottom: 0 };
  for (let index = 0; index < codes.length; index++) {
    const rung = codes[index] & rungs; // rungs is one less than a power of two
    if (rung === 0) counts.zeros++;
    if (rung === rungs) counts.top++;
    if (rung === 1) counts.bottom++;
    if (rung === 0) continue;
    const side = info.signBit !== null && (codes[index] >> info.signBit) & 1 ? negative : positive;
    side[bins - 1 - Math.floor((rungs - rung) / rungsPerBin)]++;
  }
  const exponents = positive.map((_, bin) => ((bin + 1 - bins) * rungsPerBin) / rungsPerOctave);
  return {
    format: name,
    binsPerOctave: rungsPerOctave / rungsPerBin,
    exponents,
    positive,
    negative,
    ...counts,
  };
}

/**
 * The sum of histograms of one format.
 *
 * @throws RangeError when there is none, or the formats differ.
 */
export function addHistograms(histograms: readonly LadderHistogram[]): LadderHistogram {
  const [first] = histograms;
  if (first === undefined || histograms.some(({ format }) => format !== first.format)) {
    throw new RangeError("logrung: only histograms of one format can be added");
  }
  const sum = (field: "zeros" | "top" | "bottom"): number =>
    histograms.reduce((total, histogram) => total + histogram[field], 0);
  const sums = (field: "positive" | "negative"): number[] =>
    first[field].map((_, bin) => histograms.reduce((total, histogram) => total + histogram[field][bin], 0));
  return {
    ...first,
    positive: sums("positive"),
    negative: sums("negative"),
    zeros: sum("zeros"),
    top: sum("top"),
    bottom: sum("bottom"),
  };
}
