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
export function causalAttention(qkv: Rows, heads: number): number[][] {
  const all = qkv[0].length / 3;
  const width = all / heads;
  return qkv.map((row, t) => {
    const out: number[] = [];
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * width, (head + 1) * width];
      const query = row.slice(from, to);
      const past = qkv.slice(0, t + 1);
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
