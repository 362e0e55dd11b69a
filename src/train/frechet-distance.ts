/** The Fréchet distance between two sets of vectors, each taken for a normal distribution. */
import { inTurns } from "./breathe.ts";
import { symmetricEigenvalues } from "./symmetric-eigen.ts";

/** Mean and covariance of vectors, gathered as they come. */
export class FeatureMoments {
  readonly width: number;
  private count = 0;
  private readonly shift: Float64Array;
  private readonly sums: Float64Array;
  private readonly products: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.shift = new Float64Array(width);
    this.sums = new Float64Array(width);
    this.products = new Float64Array(width * width);
  }

  /**
   * Adds vectors. Sums are of differences from the first one, so that a large mean costs the covariance no digits.
   *
   * @param features  [rows, width]
   * @throws RangeError for numbers that are not finite, or no whole rows.
   */
  add(features: ArrayLike<number>): void {
    const { width, shift, sums, products } = this;
    if (features.length % width !== 0)
      throw new RangeError(`logrung: ${features.length} features, wants rows of ${width}`);
    const row = new Float64Array(width);
    for (let first = 0; first < features.length; first += width) {
      if (this.count === 0) for (let i = 0; i < width; i++) shift[i] = features[first + i];
      for (let i = 0; i < width; i++) row[i] = features[first + i] - shift[i];
      if (!row.every(Number.isFinite)) throw new RangeError("logrung: a feature is not finite");
      for (let i = 0; i < width; i++) {
        const x = row[i];
        sums[i] += x;
        if (x === 0) continue; // half of rectified features
        for (let j = 0; j <= i; j++) products[i * width + j] += x * row[j];
      }
      this.count++;
    }
  }

  get mean(): Float64Array {
    return this.sums.map((sum, i) => this.shift[i] + sum / this.count);
  }

  /** Σ (x - mean)(x - mean)ᵀ / (n - 1), [width, width]. @throws RangeError for fewer than two vectors. */
  get covariance(): Float64Array {
    const { count, width, sums, products } = this;
    if (count < 2) throw new RangeError(`logrung: the covariance of ${count} vectors, wants 2 or more`);
    const covariance = new Float64Array(width * width);
    for (let i = 0; i < width; i++)
      for (let j = 0; j <= i; j++) {
        const value = (products[i * width + j] - (sums[i] * sums[j]) / count) / (count - 1);
        covariance[i * width + j] = value;
        covariance[j * width + i] = value;
      }
    return covariance;
  }
}

/** A normal distribution: mean [n], covariance [n, n]. */
export interface Gaussian {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/**
 *   d² = |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)
 *
 * The trace of the root is Σ √λ over the eigenvalues of G Σ₂ Gᵀ, a symmetric matrix with those of Σ₁ Σ₂ where Σ₁ = Gᵀ G. Negative ones are
 * rounding errors and count as 0. Both matrices may be singular, as they are of fewer vectors than a vector has numbers.
 *
 * In the features of the Inception of 2015 it is the FID; in those of another network it is another number, to be named after it.
 *
 * @param signal  throws its reason; of 2,048 features it takes a minute.
 * @returns d², never below 0.
 * @throws RangeError when the sizes differ or something is not finite.
 * @source Dowson and Landau 1982; Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6.
 */
export async function frechetDistance(a: Gaussian, b: Gaussian, signal?: AbortSignal): Promise<number> {
  const n = a.mean.length;
  if (b.mean.length !== n) throw new RangeError(`logrung: Fréchet distance of ${n} and ${b.mean.length} features`);
  const apart = a.mean.reduce((sum, x, i) => sum + (x - b.mean[i]) ** 2, 0);
  const factor = await choleskyRows(a.covariance, n, signal);
  const values = await symmetricEigenvalues(await between(factor, b.covariance, n, signal), factor.length, signal);
  const traceOfRoot = values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  return Math.max(0, apart + trace(a.covariance, n) + trace(b.covariance, n) - 2 * traceOfRoot);
} // prettier-ignore

/**
 * Rows of G [rank, n] with A = Gᵀ G, by Cholesky's method with the largest pivot next, up to what rounding makes of zero: the rows do
 * not come in the order of A's, which nothing here needs.
 *
 * @source Higham 2002, Accuracy and stability of numerical algorithms, section 10.3.
 */
async function choleskyRows(
  a: Float64Array,
  n: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array[]> {
  const left = Float64Array.from({ length: n }, (_, i) => a[i * n + i]);
  const noise = n * Number.EPSILON * left.reduce((most, x) => Math.max(most, x), 0);
  const rows: Float64Array[] = [];
  await inTurns(n, signal, (_, to) => addPivots(rows, a, left, noise, to));
  return rows;
}

/** Up to so many rows of G, while what is `left` of A's diagonal is more than noise. */
function addPivots(rows: Float64Array[], a: Float64Array, left: Float64Array, noise: number, count: number): void {
  const n = left.length;
  while (rows.length < count) {
    const pivot = left.reduce((most, x, i) => (x > left[most] ? i : most), 0);
    if (left[pivot] <= noise) return;
    const row = a.slice(pivot * n, (pivot + 1) * n);
    for (const before of rows) subtract(row, before, before[pivot]);
    const scale = 1 / Math.sqrt(left[pivot]);
    for (let i = 0; i < n; i++) {
      row[i] *= scale;
      left[i] -= row[i] ** 2;
    }
    left[pivot] = 0;
    rows.push(row);
  }
} // prettier-ignore

/** row ← row - x · other */
function subtract(row: Float64Array, other: Float64Array, x: number): void {
  for (let i = 0; i < row.length; i++) row[i] -= x * other[i];
}

/** G B Gᵀ, [rank, rank]. */
async function between(
  factor: readonly Float64Array[],
  b: Float64Array,
  n: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const rank = factor.length;
  const out = new Float64Array(rank * rank);
  await inTurns(rank, signal, (from, to) => {
    for (let i = from; i < to; i++) rowBetween(factor, b, n, i, out);
  });
  return out;
}

/** Row i of it, up to the diagonal, and column i. */
function rowBetween(factor: readonly Float64Array[], b: Float64Array, n: number, i: number, out: Float64Array): void {
  const rank = factor.length;
  const product = new Float64Array(n);
  for (let k = 0; k < n; k++) subtract(product, b.subarray(k * n, (k + 1) * n), -factor[i][k]);
  for (let j = 0; j <= i; j++) {
    const other = factor[j];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += product[k] * other[k];
    out[i * rank + j] = sum;
    out[j * rank + i] = sum;
  }
} // prettier-ignore

const trace = (a: Float64Array, n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[i * n + i];
  return sum;
};
