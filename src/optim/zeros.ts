/** Zero weights under multiplicative rules, which cannot move them: the remedies. */
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";

/**
 * What becomes of weights that are exactly zero when a multiplicative rule gets them:
 *
 * - `keep`    they stay zero for ever, as in the published transformer runs;
 * - `redraw`  they are drawn from N(0, s²): s = 0.2 where the whole tensor is zero, as published for ImageNet, else the
 *   root mean square of the tensor;
 * - `floor`   they become ± 0.01 of the root mean square of the tensor, the signs at random; ± 0.01 where all is zero, the
 *   size that the published GAN starts its biases with;
 * - `exempt`  a tensor that is zero as a whole is trained by the exempt rule; zeros in other tensors stay.
 *
 * @source Bernstein et al. 2020 and its reference code: `--init_bias`, cGAN initial weights.
 */
export type Zeros = (typeof zerosChoices)[number];

export const zerosChoices = ["keep", "redraw", "floor", "exempt"] as const;

const ALL_ZERO_DEVIATION = 0.2;
const FLOOR = 0.01;

/** What the start of a tensor depends on. */
export interface Facts {
  readonly size: number;
  /** Σ x², in the order of the elements. */
  readonly squares: number;
  /** Elements that are 0. */
  readonly zeros: number;
}

/** Another value in the place of the one at an index. */
export type Change = (value: number, index: number) => number;

const NOTHING: Facts = { size: 0, squares: 0, zeros: 0 };

/** The facts of values, with those `before` them. @param change  what becomes of each value first. */
export function factsOf(
  values: ArrayLike<number>,
  change: Change | null = null,
  before: Facts = NOTHING,
): Facts {
  let { size, squares, zeros } = before;
  for (let i = 0; i < values.length; i++, size++) {
    const value = change ? change(values[i], size) : values[i];
    squares += value * value;
    if (value === 0) zeros++;
  }
  return { size, squares, zeros };
}

/** √(mean x²) */
export const rootMeanSquare = ({ size, squares }: Facts): number => Math.sqrt(squares / Math.max(1, size));

/**
 * What becomes of the initial values where zeros are treated, rounded to float32; null where nothing changes. A pure
 * function of the facts, seed and name.
 */
export function remedyOf(facts: Facts, name: string, treatment: Zeros, seed: number): Change | null {
  if ((treatment !== "redraw" && treatment !== "floor") || facts.zeros === 0) return null;
  const rms = rootMeanSquare(facts);
  const key = streamKey(seed, name, 0, "zero weights");
  const deviation = rms > 0 ? rms : ALL_ZERO_DEVIATION;
  const floor = FLOOR * (rms > 0 ? rms : 1);
  const drawn = (i: number): number => {
    const z = normal(key, i);
    return treatment === "redraw" ? z * deviation : z < 0 ? -floor : floor;
  };
  return (x, i) => Math.fround(x === 0 ? drawn(i) : x);
}
