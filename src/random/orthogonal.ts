/** Random matrices with orthonormal rows or columns. */
import { normal } from "./normal.ts";
import type { Key } from "./philox.ts";

/**
 * A matrix drawn uniformly (Haar) from those whose rows, or columns where there are more rows, are orthonormal: normal
 * numbers orthogonalised one vector after the other, which is the Q of a QR decomposition whose R has a positive diagonal.
 *
 * @param key  of the normal stream.
 * @returns [rows, columns], row-major
 * @source Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks.
 */
export function orthogonal(key: Key, rows: number, columns: number): Float64Array {
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const vectors = Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length }, (__, j) => normal(key, i * length + j)),
  );
  for (const [i, vector] of vectors.entries()) {
    for (let k = 0; k < i; k++) subtractAlong(vector, vectors[k]);
    const size = Math.sqrt(dot(vector, vector));
    for (let j = 0; j < length; j++) vector[j] /= size;
  }
  const matrix = new Float64Array(rows * columns);
  const [step, next] = rows <= columns ? [columns, 1] : [1, columns];
  for (const [i, vector] of vectors.entries())
    for (let j = 0; j < length; j++) matrix[i * step + j * next] = vector[j];
  return matrix;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** x ← x - ⟨x, unit⟩ unit. */
function subtractAlong(x: Float64Array, unit: Float64Array): void {
  const along = dot(x, unit);
  for (let i = 0; i < x.length; i++) x[i] -= along * unit[i];
}
