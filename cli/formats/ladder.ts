/** The positive values of a format and the steps between them: what its table, its drawing and its picture show. */
import type { ScalarFormat } from "../../src/formats/format.ts";

/** Two neighbours a < b. Nothing lies between them. */
export interface Step {
  readonly low: number;
  readonly high: number;
}

export interface Ladder {
  readonly format: ScalarFormat;
  /** Positive finite values, ascending; of formats of more than 16 bits only every `every`-th. */
  readonly values: Float64Array;
  readonly every: number;
  /** The step above each of `values` but the largest value of all. */
  readonly steps: readonly Step[];
}

const listedBits = 16;

/** Whether every code of a format can be listed. */
export const isListed = ({ bits }: Pick<ScalarFormat, "bits">): boolean => bits <= listedBits;

/** Values by code are monotone where they are too many to list: positive floats are. */
function sampledLadder(format: ScalarFormat): Ladder {
  const every = 2 ** (format.bits - listedBits);
  const codes = Array.from({ length: 2 ** (listedBits - 1) }, (_, index) => index * every);
  const whole = codes.filter((code) => Number.isFinite(format.decode(code + 1)));
  const steps = whole
    .map((code) => ({ low: format.decode(code), high: format.decode(code + 1) }))
    .filter(({ low }) => low > 0);
  return { format, every, steps, values: Float64Array.from(steps, ({ low }) => low) };
}

/** The ladder of a format. */
export function ladderOf(format: ScalarFormat): Ladder {
  if (!isListed(format)) return sampledLadder(format);
  const all = Array.from({ length: 2 ** format.bits }, (_, code) => format.decode(code));
  const positive = new Set(all.filter((value) => value > 0 && Number.isFinite(value)));
  const values = Float64Array.from(positive).toSorted();
  const steps = Array.from(values.subarray(1), (high, index) => ({ low: values[index], high }));
  return { format, every: 1, steps, values };
}

/** Whether nearest means nearest in the log domain: the boundary between neighbours is then their geometric mean. */
export const isLogarithmic = ({ coding }: ScalarFormat): boolean => coding.kind.endsWith("ladder");

/**
 * Largest relative error of rounding a number between two neighbours to the nearest one: at the boundary between them,
 *
 *   (b - a) / (b + a),   in the log domain √(b / a) - 1
 */
export function stepError({ low, high }: Step, logarithmic: boolean): number {
  return logarithmic ? Math.sqrt(high / low) - 1 : (high - low) / (high + low);
}
