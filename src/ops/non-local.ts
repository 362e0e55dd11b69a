/** Attention of one set of pixels to another, keys and values of different widths: the core of a non-local block. */
import { gemm } from "../kernels/gemm.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { expectShape, ShapeError, type Tensor } from "../tensor/tensor.ts";
import { decoded, madeBy, type LayerPrecision } from "./operand.ts";
import { softmaxGradientRows, softmaxRows } from "./softmax.ts";
import { alongColumns, alongRows, type Stacked } from "./stacked.ts";

const batched = gemm("non-local product", "f32", "f32");

/** Sizes of one call. */
interface Sizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Columns of query and key, and of value. */
  readonly width: number;
  readonly depth: number;
}

/** A matrix for each image, as an operand of products. */
interface Operand extends Stacked {
  readonly transposed: boolean;
  /** What it was rounded from: it is freed after the product where that is another tensor. */
  readonly source: Tensor;
}

/** C = A·B for every image, [batch · m, n]; operands that were made for it are freed. */
function multiply(
  { batch }: Sizes,
  a: Operand,
  b: Operand,
  [m, n, k]: readonly [number, number, number],
): Tensor {
  const { device } = a.source;
  const c = device.empty([batch * m, n]);
  const [left, right] = [decoded(a.tensor), decoded(b.tensor)];
  const lies = ({ tensor: { shape }, rows, transposed }: Operand) => {
    const columns = shape[1];
    const across = transposed ? { row: 1, column: columns } : { row: columns, column: 1 };
    return { outer: rows * columns, ...across };
  };
  device.run(batched, {
    inputs: { a: left.values, b: right.values },
    outputs: { c },
    sizes: { outer: batch, m, n, k, a: lies(a), b: lies(b), c: { outer: m * n, row: n } },
  });
  left.free();
  right.free();
  for (const { tensor, source } of [a, b]) for (const made of madeBy(tensor, source)) device.free(made);
  return c;
}

/** Formats of the operands of products, and the random keys of their rounding. */
interface Formats {
  readonly activation: TensorPrecision | null;
  readonly error: TensorPrecision | null;
  readonly precision: LayerPrecision | null;
}

function operands(sizes: Sizes, { precision }: Formats) {
  const key = (purpose: string) => () => precision?.key(purpose) ?? ([0, 0] as const);
  return {
    /** Rounded for a sum over its columns. */
    columns(source: Tensor, format: TensorPrecision | null, purpose: string, transposed = false): Operand {
      const tensor = alongColumns(source, format, source.shape[1], key(purpose));
      return { tensor, rows: source.shape[0] / sizes.batch, transposed, source };
    },
    /** Rounded for a sum over its rows. */
    rows(source: Tensor, format: TensorPrecision | null, purpose: string, transposed = false): Operand {
      const stacked = alongRows(source, format, source.shape[0] / sizes.batch, key(purpose));
      return { ...stacked, transposed, source };
    },
  };
}

/** softmax(Q_A(q) Q_A(k)ᵀ), [batch · queries, keys]. */
function probabilities(q: Tensor, k: Tensor, sizes: Sizes, formats: Formats): Tensor {
  const { queries, keys, width } = sizes;
  const { activation } = formats;
  const { columns } = operands(sizes, formats);
  const left = columns(q, activation, "query");
  const right = columns(k, activation, "key", true);
  const p = multiply(sizes, left, right, [queries, keys, width]);
  q.device.run(softmaxRows, {
    inputs: { x: p },
    outputs: { y: p },
    uniforms: { scale: 1, causal: 0 },
    sizes: { rows: p.shape[0], columns: keys },
  });
  return p;
}

/**
 *   y = softmax(q kᵀ) v, each image by itself, every query seeing every key; the scores are not scaled
 *
 * Each of the six products on operands in the formats of the policy, along its own sum, as in `selfAttention`. Kept for the
 * backward pass are query, key and value in float32, a fraction of what the layers around keep; probabilities are computed
 * again.
 *
 * @param q      [batch · queries, width]
 * @param k      [batch · keys, width]
 * @param v      [batch · keys, depth]
 * @param batch  images
 * @returns      [batch · queries, depth]
 * @throws ShapeError when rows do not divide by the images, or sizes differ.
 * @source Wang et al. 2018, Non-local neural networks, equation 2 with the embedded Gaussian.
 */
export function nonLocalAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  batch: number,
  precision: LayerPrecision | null = null,
): Tensor {
  expectShape("nonLocalAttention", q, null, null);
  expectShape("nonLocalAttention's key", k, null, q.shape[1]);
  expectShape("nonLocalAttention's value", v, k.shape[0], null);
  if (q.shape[0] % batch !== 0 || k.shape[0] % batch !== 0)
    throw new ShapeError(
      `logrung: nonLocalAttention of ${q.shape[0]} queries and ${k.shape[0]} keys in ${batch} images: both must divide`,
    );
  const [queries, keys] = [q.shape[0] / batch, k.shape[0] / batch];
  const sizes = { batch, queries, keys, width: q.shape[1], depth: v.shape[1] };
  const { activation = null, error = null, passes = "both" } = precision?.policy ?? {};
  const formats = { activation, error, precision };
  const p = probabilities(q, k, sizes, formats);
  const { columns, rows } = operands(sizes, formats);
  const value = rows(v, activation, "value along keys");
  const y = multiply(sizes, columns(p, activation, "probabilities"), value, [queries, sizes.depth, keys]);
  q.device.free(p);
  const backwardFormats = passes === "both" ? formats : { activation: null, error: null, precision };
  return q.device.tape.record(
    [q, k, v],
    y,
    [],
    (dy) => {
      const again = probabilities(q, k, sizes, formats);
      return backward(dy, again, { q, k, v }, sizes, backwardFormats);
    },
    [q, k, v],
  );
}

/** [dq, dk, dv]; the probabilities are freed. */
function backward(
  dy: Tensor,
  p: Tensor,
  { q, k, v }: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
  sizes: Sizes,
  formats: Formats,
): Tensor[] {
  const { queries, keys, width, depth } = sizes;
  const { activation, error } = formats;
  const { columns, rows } = operands(sizes, formats);
  const { device } = dy;
  const weights = rows(p, activation, "probabilities along queries", true);
  const dv = multiply(sizes, weights, rows(dy, error, "error along queries"), [keys, depth, queries]);
  const value = columns(v, activation, "value", true);
  const ds = multiply(sizes, columns(dy, error, "error"), value, [queries, keys, depth]);
  device.run(softmaxGradientRows, {
    inputs: { y: p, dy: ds },
    outputs: { dx: ds },
    uniforms: { scale: 1 },
    sizes: { rows: ds.shape[0], columns: keys },
  });
  const ofKeys = rows(k, activation, "key along keys");
  const dq = multiply(sizes, columns(ds, error, "error of the scores"), ofKeys, [queries, width, keys]);
  const scores = rows(ds, error, "error of the scores along queries", true);
  const dk = multiply(sizes, scores, rows(q, activation, "query along queries"), [keys, width, queries]);
  for (const tensor of [p, ds]) device.free(tensor);
  return [dq, dk, dv];
}
