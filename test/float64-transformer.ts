/** Layers of transformers in float64, written down from their formulas: what models are judged by. */

/** Rows of numbers. */
export type Rows = readonly (readonly number[])[];

/** Rows of a matrix from numbers in row-major order. */
export const rowsOf = (values: ArrayLike<number>, columns: number): number[][] =>
  Array.from({ length: values.length / columns }, (_, row) =>
    Array.from({ length: columns }, (__, column) => values[row * columns + column]),
  );

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0);

/** x wᵀ + b; w [out, in]. */
export const affine = (x: Rows, w: Rows, b?: ArrayLike<number>): number[][] =>
  x.map((row) => w.map((weights, i) => dot(row, weights) + (b?.[i] ?? 0)));

export const sumOf = (a: Rows, b: Rows): number[][] => a.map((row, i) => row.map((x, j) => x + b[i][j]));

/** (x - mean) / √(variance + ε) · gain + bias. */
export const layerNorm = (
  x: Rows,
  gain: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon: number,
): number[][] =>
  x.map((row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * gain[i] + bias[i]);
  });

/** softmax(Q Kᵀ / √width) V of each head, over the tokens so far. @param qkv [tokens, 3 · heads · width] */
export const causalAttention = (qkv: Rows, heads: number): number[][] => attention(qkv, heads, (t) => t + 1);

/** softmax(Q Kᵀ / √width) V of each head. @param seen how many of the tokens token t sees; default all. */
export function attention(
  qkv: Rows,
  heads: number,
  seen: (t: number) => number = () => qkv.length,
): number[][] {
  const all = qkv[0].length / 3;
  const width = all / heads;
  return qkv.map((row, t) => {
    const out: number[] = [];
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * width, (head + 1) * width];
      const query = row.slice(from, to);
      const past = qkv.slice(0, seen(t));
      const scores = past.map((other) => dot(query, other.slice(all + from, all + to)) / Math.sqrt(width));
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((a, b) => a + b, 0);
      for (let i = 0; i < width; i++)
        out.push(weights.reduce((sum, w, s) => sum + (w / total) * past[s][2 * all + from + i], 0));
    }
    return out;
  });
}

/** The error function, by its series where that converges fast and a continued fraction beyond. */
export function erf(x: number): number {
  if (x < 0) return -erf(-x);
  if (x < 3) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** x Φ(x); the constant is float32, as those of kernels are. */
export const exactGelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.fround(Math.SQRT1_2)));

/** The largest difference between entries of equal place. */
export const largestDifference = (a: Rows, b: Rows): number =>
  Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i][j]))));
