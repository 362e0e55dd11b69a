/** How the magnitudes of a tensor spread over the range of a number format. */
import { format as formatOf } from "../formats/index.ts";
import type { ScalarFormat } from "../formats/format.ts";

/**
 * Counts by magnitude and sign. The last bin ends with the top of the range; bin i of n holds magnitudes over the top from
 * 2^((i - n) / binsPerOctave), exclusive, to 2^((i + 1 - n) / binsPerOctave). The first takes what lies below it, too.
 */
export interface Spread {
  /** What the numbers are kept in. */
  readonly format: string;
  /** Whose range the bins are of: the format itself, or for one whose range is no limit (float32, bf16) the one to compare it with. */
  readonly range: string;
  /** log₂ of the range's largest over its smallest magnitude. */
  readonly octaves: number;
  readonly binsPerOctave: number;
  readonly positive: readonly number[];
  readonly negative: readonly number[];
  /** Numbers in all; those that are NaN or infinite lie in no bin. */
  readonly count: number;
  readonly zeros: number;
  /** At the largest magnitude or above, at the smallest that is not zero, and, where the range is another's, below that. */
  readonly top: number;
  readonly bottom: number;
  readonly below: number;
}

/** Most bins of a range; neighbouring rungs of a finer ladder are counted together. */
const mostBins = 64;

/** Formats that reach this far are no limit in practice. */
const farReach = 2 ** 16;

/** Whether numbers of a format are shown against the range of another. */
export const isFarReaching = ({ bits, info }: ScalarFormat): boolean => bits > 16 || info.max >= farReach;

interface Bins {
  readonly octaves: number;
  readonly binsPerOctave: number;
  readonly bins: number;
}

/** Bins of a range: a ladder's rungs, or as many neighbours together as leave few; of other formats octaves. */
function binsOf({ coding, info }: ScalarFormat): Bins {
  const octaves = Math.log2(info.max / info.minPositive);
  let perOctave = 1;
  if (coding.kind === "ladder") perOctave = coding.rungsPerOctave;
  if (coding.kind === "natural-ladder") perOctave = Math.LN2 / coding.step;
  const rungs = Math.floor(octaves * perOctave + 1e-6) + 1;
  const together = 2 ** Math.max(0, Math.ceil(Math.log2(rungs / mostBins)));
  return { octaves, binsPerOctave: perOctave / together, bins: Math.ceil(rungs / together) };
}

/** Counts magnitudes over the range's top. */
class Counter {
  readonly positive: number[];
  readonly negative: number[];
  private readonly bins: number;
  private readonly perOctave: number;

  constructor(bins: number, perOctave: number) {
    this.bins = bins;
    this.perOctave = perOctave;
    this.positive = Array.from({ length: bins }, () => 0);
    this.negative = Array.from({ length: bins }, () => 0);
  }

  /** @param relative  value over the top, finite and not zero. */
  add(relative: number, times: number): void {
    // A rung's logarithm may miss it by a rounding error.
    const fromTop = Math.floor(-Math.log2(Math.abs(relative)) * this.perOctave + 1e-6);
    const bin = this.bins - 1 - Math.min(this.bins - 1, Math.max(0, fromTop));
    (relative < 0 ? this.negative : this.positive)[bin] += times;
  }
}

/** The spread of codes over their format's own range. */
export function spreadOfCodes(codes: ArrayLike<number>, format: ScalarFormat): Spread {
  const { info, bits, name } = format;
  const { octaves, binsPerOctave, bins } = binsOf(format);
  const times = new Float64Array(2 ** bits);
  for (let i = 0; i < codes.length; i++) times[codes[i]]++;
  const counter = new Counter(bins, binsPerOctave);
  const ends = { zeros: 0, top: 0, bottom: 0 };
  for (const [code, count] of times.entries()) {
    if (count === 0) continue;
    const value = format.decode(code);
    if (value === 0) ends.zeros += count;
    else if (Number.isFinite(value)) counter.add(value / info.max, count);
    if (Math.abs(value) >= info.max) ends.top += count;
    if (Math.abs(value) === info.minPositive) ends.bottom += count;
  }
  const { positive, negative } = counter;
  const where = { format: name, range: name, octaves, binsPerOctave };
  return { ...where, positive, negative, count: codes.length, ...ends, below: 0 };
}

/** What far-reaching numbers are held against. */
export interface Comparison {
  /** The name of a format with a range. */
  readonly range: string;
  /** What its largest value would stand for. Default the largest magnitude of the numbers. */
  readonly top?: number | null;
}

/**
 * The spread of numbers against the range of a format they are not in. Bins go as far again below the range, in which the
 * format would have zeros or its lowest value.
 */
export function spreadOfNumbers(
  values: ArrayLike<number>,
  kept: string,
  { range, top = null }: Comparison,
): Spread {
  const { octaves, binsPerOctave, bins } = binsOf(formatOf(range));
  const most = top ?? largestOf(values);
  const lowest = most * 2 ** -octaves;
  const counter = new Counter(2 * bins, binsPerOctave);
  const ends = { zeros: 0, top: 0, bottom: 0, below: 0 };
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size === 0) ends.zeros++;
    else if (size < Number.POSITIVE_INFINITY) counter.add(values[i] / most, 1);
    if (size > 0 && size >= most) ends.top++;
    if (size > 0 && size < lowest) ends.below++;
  }
  const { positive, negative } = counter;
  return { format: kept, range, octaves, binsPerOctave, positive, negative, count: values.length, ...ends };
}

function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > largest && size < Number.POSITIVE_INFINITY) largest = size;
  }
  return largest > 0 ? largest : 1;
}

/**
 * The sum of spreads of one format over one range.
 *
 * @throws RangeError when there is none, or they differ in either.
 */
export function addSpreads(spreads: readonly Spread[]): Spread {
  const [first] = spreads;
  if (first === undefined || spreads.some((one) => one.format !== first.format || one.range !== first.range))
    throw new RangeError("logrung: only spreads of one format over one range can be added");
  const sum = (field: "count" | "zeros" | "top" | "bottom" | "below"): number =>
    spreads.reduce((total, spread) => total + spread[field], 0);
  const sums = (side: "positive" | "negative"): number[] =>
    first[side].map((_, bin) => spreads.reduce((total, spread) => total + spread[side][bin], 0));
  const { format, range, octaves, binsPerOctave } = first;
  return {
    format,
    range,
    octaves,
    binsPerOctave,
    positive: sums("positive"),
    negative: sums("negative"),
    count: sum("count"),
    zeros: sum("zeros"),
    top: sum("top"),
    bottom: sum("bottom"),
    below: sum("below"),
  };
}
