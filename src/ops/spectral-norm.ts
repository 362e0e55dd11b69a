/** Spectral normalisation: a weight divided by an estimate of its largest singular value. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perColumn, perRow, scalar } from "../kernels/signature.ts";
import { expectShape, isBlocked, isCoded, ShapeError, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { innerProduct } from "./inner-product.ts";
import { map } from "./pointwise-op.ts";
import { product } from "./product.ts";
import { dequantise } from "./quantise.ts";
import { squaredNorm } from "./squared-norm.ts";

export interface SpectralNormOptions {
  /** Moves the state on; otherwise σ comes from the state as it is, which stays. */
  readonly training: boolean;
  /** Power iterations a call; default 1: weights change little from step to step, so the state follows them. */
  readonly iterations?: number;
  /** Least length that anything is divided by; default 1e-12. */
  readonly epsilon?: number;
}

/** x / max(√squares, ε). */
const divided = pointwise(
  "divided by a length",
  { x: element("f32"), squares: scalar("f32") },
  { epsilon: "f32" },
  ({ x, squares, epsilon }) => ({ y: output("f32", x.div(squares.sqrt().max(epsilon))) }),
);

const copy = pointwise("power iteration state", { x: element("f32") }, {}, ({ x }) => ({
  y: output("f32", x),
}));

/** (g - ⟨g, w⟩/σ · u vᵀ) / σ. */
const gradient = pointwise(
  "spectral norm gradient",
  { g: element("f32"), u: perRow("f32"), v: perColumn("f32"), inner: scalar("f32"), squares: scalar("f32") },
  { epsilon: "f32" },
  ({ g, u, v, inner, squares, epsilon }) => {
    const sigma = squares.sqrt().max(epsilon);
    return { y: output("f32", g.sub(u.mul(v).mul(inner.div(sigma))).div(sigma)) };
  },
);

/** x / max(|x|, ε) and |x|². */
function normalised(x: Tensor, epsilon: number): { readonly vector: Tensor; readonly squares: Tensor } {
  const squares = squaredNorm(x);
  return { vector: map(divided, x, { x, squares }, { epsilon }), squares };
}

/** Singular vectors [1, out] and [1, in] near those of the largest singular value, and |W v|². */
interface Singular {
  readonly u: Tensor;
  readonly v: Tensor;
  readonly squares: Tensor;
}

/** v ← Wᵀu / |Wᵀu|,  u ← W v / |W v|, so many times. */
function powerIteration(w: Tensor, state: Tensor, iterations: number, epsilon: number): Singular {
  const { device } = w;
  let found: Singular | null = null;
  for (let i = 0; i < iterations; i++) {
    const start: Tensor = found ? found.u : { ...state, shape: [1, w.shape[0]] };
    const back = product({ tensor: start, transposed: false }, { tensor: w, transposed: false });
    const { vector: v, squares: unused } = normalised(back, epsilon);
    const forth = product({ tensor: v, transposed: false }, { tensor: w, transposed: true });
    const { vector: u, squares } = normalised(forth, epsilon);
    for (const tensor of [back, unused, forth]) device.free(tensor);
    if (found) for (const tensor of [found.u, found.v, found.squares]) device.free(tensor);
    found = { u, v, squares };
  }
  if (!found)
    throw new RangeError(`logrung: spectral norm by ${iterations} power iterations, wants 1 or more`);
  return found;
}

/**
 *   v = Wᵀu / |Wᵀu|,  u ← W v / |W v|,  σ = uᵀ W v = |W v|;   Ŵ = W / σ
 *   dW = (dŴ - ⟨dŴ, Ŵ⟩ u vᵀ) / σ
 *
 * u and v count as constants in the gradient, which is exact where they are the singular vectors: σ does not change with
 * them there. Codes are divided by dividing their scale: Ŵ has W's memory, and products read the codes that are stored.
 *
 * @param w  [out, in], float32, or coded with scales; a convolution's as `conv2d` takes it.
 * @param u  [out] float32, the state: any vector with a part along the first singular vector. Written in training.
 * @returns Ŵ, [out, in]: float32, or w's codes with another scale.
 * @throws ShapeError when u does not fit, or w is in blocks; RangeError for no iteration.
 * @source Miyato et al. 2018, Spectral normalization for generative adversarial networks, algorithm 1 and equation 12.
 */
export function spectralNorm(
  w: Tensor,
  u: Tensor,
  { training, iterations = 1, epsilon = 1e-12 }: SpectralNormOptions,
): Tensor {
  expectShape("spectralNorm", w, null, null);
  expectShape("spectralNorm's state", u, w.shape[0]);
  if (isBlocked(w)) throw new ShapeError("logrung: spectralNorm of blocks: wants float32 or codes");
  const { device } = w;
  const singular = powerIteration(w, u, iterations, epsilon);
  const { squares } = singular;
  if (training && !device.tape.replaying)
    device.run(copy, {
      inputs: { x: singular.u },
      outputs: { y: u },
      sizes: { rows: 1, columns: u.shape[0] },
    });
  const over = (x: Tensor): Tensor => map(divided, x, { x, squares }, { epsilon });
  const result: Tensor = isCoded(w)
    ? { ...w, encoding: { ...w.encoding, scale: over(w.encoding.scale) } }
    : over(w);
  // Without a tape they belong to the step: Ŵ may be read for as long as it lasts.
  if (!device.tape.recording || !w.tracked) return result;
  const saved = [singular.u, singular.v, squares, ...(isCoded(result) ? [result.encoding.scale] : [])];
  const vjp = (g: Tensor): [Tensor] => [weightGradient(g, w, singular, epsilon)];
  return device.tape.record([w], result, saved, vjp, [w]);
}

function weightGradient(g: Tensor, w: Tensor, { u, v, squares }: Singular, epsilon: number): Tensor {
  const { device } = w;
  const values = dequantise(w);
  const along = innerProduct(g, values);
  const dw = device.empty(w.shape);
  const sizes = { rows: w.shape[0], columns: sizeOf(w.shape) / w.shape[0] };
  const inputs = { g, u, v, inner: along, squares };
  device.run(gradient, { inputs, outputs: { y: dw }, uniforms: { epsilon }, sizes });
  device.free(along);
  if (values !== w) device.free(values);
  return dw;
}
