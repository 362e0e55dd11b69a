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

/** √(mean x²) */
export function rootMeanSquareOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum / Math.max(1, values.length));
}

/** The initial values with zeros treated: the same array where nothing changes. A pure function of seed and name. */
export function startingValues<A extends Float32Array | Float64Array>(
  values: A,
  name: string,
  zeros: Zeros,
  seed: number,
): A | Float32Array {
  if ((zeros !== "redraw" && zeros !== "floor") || !values.includes(0)) return values;
  const rms = rootMeanSquareOf(values);
  const key = streamKey(seed, name, 0, "zero weights");
  const deviation = rms > 0 ? rms : ALL_ZERO_DEVIATION;
  const floor = FLOOR * (rms > 0 ? rms : 1);
  const drawn = (i: number): number => {
    const z = normal(key, i);
    return zeros === "redraw" ? z * deviation : z < 0 ? -floor : floor;
  };
  return Float32Array.from(values, (x, i) => (x === 0 ? drawn(i) : x));
}
