/** The Fréchet distance between two sets of vectors, each taken for a normal distribution. */
import { symmetricEigen } from "./symmetric-eigen.ts";

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
 * The trace of the root is Σ √λ over the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, a symmetric matrix with those of Σ₁ Σ₂. Negative
 * ones are rounding errors and count as 0.
 *
 * In the features of Inception it is the FID; in those of another network it is another number, to be named after it.
 *
 * @returns d², never below 0.
 * @throws RangeError when the sizes differ or something is not finite.
 * @source Dowson and Landau 1982; Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6.
 */
export function frechetDistance(a: Gaussian, b: Gaussian): number {
  const n = a.mean.length;
  if (b.mean.length !== n) throw new RangeError(`logrung: Fréchet distance of ${n} and ${b.mean.length} features`);
  const apart = a.mean.reduce((sum, x, i) => sum + (x - b.mean[i]) ** 2, 0);
  const root = squareRoot(a.covariance, n);
  const between = product(product(root, b.covariance, n), root, n);
  const { values } = symmetricEigen(symmetric(between, n), n);
  const traceOfRoot = values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  return Math.max(0, apart + trace(a.covariance, n) + trace(b.covariance, n) - 2 * traceOfRoot);
} // prettier-ignore

/** Σ √λᵢ vᵢ vᵢᵀ. */
function squareRoot(matrix: Float64Array, n: number): Float64Array {
  const { values, vectors } = symmetricEigen(matrix, n);
  const scaled = vectors.map((x, i) => x * Math.max(0, values[Math.floor(i / n)]) ** 0.25);
  const root = new Float64Array(n * n);
  for (let k = 0; k < n; k++)
    for (let i = 0; i < n; i++) {
      const x = scaled[k * n + i];
      for (let j = 0; j < n; j++) root[i * n + j] += x * scaled[k * n + j];
    }
  return root;
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const x = a[i * n + k];
      for (let j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j];
    }
  return c;
}

/** (A + Aᵀ) / 2: without what rounding made of a symmetric product. */
const symmetric = (a: Float64Array, n: number): Float64Array =>
  a.map((x, i) => (x + a[(i % n) * n + Math.floor(i / n)]) / 2);

const trace = (a: Float64Array, n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[i * n + i];
  return sum;
};
