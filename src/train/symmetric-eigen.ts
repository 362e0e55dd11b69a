/** Eigenvalues and eigenvectors of symmetric matrices, in float64. */

/** A = Σ values[i] · vectorᵢ vectorᵢᵀ. */
export interface SymmetricEigen {
  /** In no order. */
  readonly values: Float64Array;
  /** [n, n]: row i is the unit vector of values[i]. */
  readonly vectors: Float64Array;
}

/** Most rotations' sweeps of one eigenvalue; a few are enough. */
const MOST_SWEEPS = 60;

/**
 * Householder reflections to a tridiagonal matrix, then implicit QL steps with Wilkinson's shift.
 *
 * @param matrix  [n, n], row-major, symmetric; it stays.
 * @throws RangeError when it is not square, or holds what is not finite.
 * @source Golub and Van Loan, Matrix computations, 4th edition, sections 8.3.1 and 8.3.5.
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  if (matrix.length !== n * n)
    throw new RangeError(`logrung: eigenvalues of ${matrix.length} numbers as ${n}×${n}`);
  if (!matrix.every(Number.isFinite)) throw new RangeError("logrung: eigenvalues of a matrix with NaN or infinity");
  const tridiagonal = reduced(matrix.slice(), n);
  diagonalise(tridiagonal, n);
  return { values: tridiagonal.diagonal, vectors: tridiagonal.vectors };
} // prettier-ignore

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i lies between rows i and i + 1. */
  readonly beside: Float64Array;
  /** [n, n]: rows are the basis. */
  readonly vectors: Float64Array;
}

/** Aₖ₊₁ = H Aₖ H with H = I - 2 v vᵀ, which clears column k below its first two; `a` is overwritten. */
function reduced(a: Float64Array, n: number): Tridiagonal {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let k = 0; k < n - 2; k++) {
    if (!reflector(a, n, k, v)) continue;
    reflect(a, n, k + 1, v, w);
    turn(vectors, n, k + 1, v, w);
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i]);
  const beside = Float64Array.from({ length: n }, (_, i) => (i < n - 1 ? a[(i + 1) * n + i] : 0));
  return { diagonal, beside, vectors };
}

/** The unit vector v of the reflection that turns column k below the diagonal into a multiple of its first element. */
function reflector(a: Float64Array, n: number, k: number, v: Float64Array): boolean {
  let tail = 0;
  for (let i = k + 2; i < n; i++) tail += a[i * n + k] ** 2;
  if (tail === 0) return false;
  const first = a[(k + 1) * n + k];
  const length = Math.sqrt(tail + first * first);
  const lead = first + (first < 0 ? -length : length); // no cancellation
  const size = Math.sqrt(tail + lead * lead);
  v[k + 1] = lead / size;
  for (let i = k + 2; i < n; i++) v[i] = a[i * n + k] / size;
  return true;
}

/** A ← A - 2 (v wᵀ + w vᵀ) on rows and columns from `from`, w = p - ⟨v, p⟩ v and p = A v; column from - 1 too. */
function reflect(a: Float64Array, n: number, from: number, v: Float64Array, w: Float64Array): void {
  let along = 0;
  for (let i = from; i < n; i++) {
    let sum = 0;
    for (let j = from; j < n; j++) sum += a[i * n + j] * v[j];
    w[i] = sum;
    along += v[i] * sum;
  }
  for (let i = from; i < n; i++) w[i] -= along * v[i];
  for (let i = from; i < n; i++)
    for (let j = from; j < n; j++) a[i * n + j] -= 2 * (v[i] * w[j] + w[i] * v[j]);
  let dot = 0;
  for (let i = from; i < n; i++) dot += v[i] * a[i * n + from - 1];
  for (let i = from; i < n; i++) a[i * n + from - 1] -= 2 * dot * v[i];
}

/** Rows of the basis reflected: V ← H V. */
function turn(vectors: Float64Array, n: number, from: number, v: Float64Array, sums: Float64Array): void {
  sums.fill(0);
  for (let i = from; i < n; i++)
    for (let j = 0; j < n; j++) sums[j] += v[i] * vectors[i * n + j];
  for (let i = from; i < n; i++)
    for (let j = 0; j < n; j++) vectors[i * n + j] -= 2 * v[i] * sums[j];
} // prettier-ignore

/** Makes `beside` zero, one eigenvalue after the other. */
function diagonalise(matrix: Tridiagonal, n: number): void {
  for (let first = 0; first < n; first++)
    for (let sweep = 0; ; sweep++) {
      const last = blockEnd(matrix, first, n);
      if (last === first) break;
      if (sweep === MOST_SWEEPS)
        throw new RangeError(`logrung: eigenvalue ${first} of ${n} does not settle in ${MOST_SWEEPS} sweeps`);
      chase(matrix, first, last, n);
    }
}

/** The last row of the block that begins at `first`: where the next element beside the diagonal counts for nothing. */
function blockEnd({ diagonal, beside }: Tridiagonal, first: number, n: number): number {
  let row = first;
  while (row < n - 1) {
    const size = Math.abs(diagonal[row]) + Math.abs(diagonal[row + 1]);
    if (Math.abs(beside[row]) <= Number.EPSILON * size) break;
    row++;
  }
  return row;
}

/** One QL sweep over a block: rotations from its last row up to its first, the first of them by the shift. */
function chase({ diagonal, beside, vectors }: Tridiagonal, first: number, last: number, n: number): void {
  const half = (diagonal[first + 1] - diagonal[first]) / (2 * beside[first]);
  const root = Math.sqrt(half * half + 1);
  const shift = diagonal[first] - beside[first] / (half + (half < 0 ? -root : root));
  let bulge = diagonal[last] - shift;
  let [cosine, sine, moved] = [1, 1, 0];
  for (let row = last - 1; row >= first; row--) {
    const [out, kept] = [sine * beside[row], cosine * beside[row]];
    const length = Math.sqrt(out * out + bulge * bulge);
    beside[row + 1] = length;
    if (length === 0) {
      // The matrix falls apart here: what is left is done in the next sweep.
      diagonal[row + 1] -= moved;
      beside[last] = 0;
      return;
    }
    [sine, cosine] = [out / length, bulge / length];
    const lower = diagonal[row + 1] - moved;
    const change = (diagonal[row] - lower) * sine + 2 * cosine * kept;
    moved = sine * change;
    diagonal[row + 1] = lower + moved;
    bulge = cosine * change - kept;
    rotate(vectors, row, cosine, sine, n);
  }
  diagonal[first] -= moved;
  beside[first] = bulge;
  beside[last] = 0;
}

/** Rows `row` and `row + 1` of the basis turned in their plane. */
function rotate(vectors: Float64Array, row: number, cosine: number, sine: number, n: number): void {
  const upper = row * n;
  const lower = upper + n;
  for (let j = 0; j < n; j++) {
    const [x, y] = [vectors[upper + j], vectors[lower + j]];
    vectors[lower + j] = sine * x + cosine * y;
    vectors[upper + j] = cosine * x - sine * y;
  }
}
