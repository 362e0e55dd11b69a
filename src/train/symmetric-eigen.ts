/** Eigenvalues of symmetric matrices, in float64. */
import { inTurns } from "./breathe.ts";

/** Most sweeps of rotations for one eigenvalue; a few are enough. */
const MOST_SWEEPS = 60;

/**
 * Householder reflections to a tridiagonal matrix, then implicit QL steps with Wilkinson's shift: n³ multiplications, nearly all of them
 * in the reflections.
 *
 * @param matrix  [n, n], row-major, symmetric; it stays.
 * @param signal  throws its reason.
 * @returns the eigenvalues in no order, each as exact as the largest allows: to some ε of it.
 * @throws RangeError when it is not square, or holds what is not finite.
 * @source Golub and Van Loan, Matrix computations, 4th edition, sections 8.3.1 and 8.3.5.
 */
export async function symmetricEigenvalues(
  matrix: Float64Array,
  n: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  if (matrix.length !== n * n)
    throw new RangeError(`logrung: eigenvalues of ${matrix.length} numbers as ${n}×${n}`);
  if (!matrix.every(Number.isFinite)) throw new RangeError("logrung: eigenvalues of a matrix with NaN or infinity");
  const tridiagonal = await reduced(matrix.slice(), n, signal);
  diagonalise(tridiagonal, n);
  return tridiagonal.diagonal;
} // prettier-ignore

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i lies between rows i and i + 1. */
  readonly beside: Float64Array;
}

async function reduced(a: Float64Array, n: number, signal: AbortSignal | undefined): Promise<Tridiagonal> {
  const matrix = { diagonal: new Float64Array(n), beside: new Float64Array(n) };
  await inTurns(n, signal, (from, to) => reduceRows(a, n, from, to, matrix));
  return matrix;
}

/** Aₖ₊₁ = H Aₖ H with H = I - 2 v vᵀ, which clears row and column k behind their first two; `a` is overwritten. */
function reduceRows(
  a: Float64Array,
  n: number,
  from: number,
  to: number,
  { diagonal, beside }: Tridiagonal,
): void {
  const [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let k = from; k < to; k++) {
    const row = a.subarray(k * n, (k + 1) * n);
    diagonal[k] = row[k];
    const turned = reflector(row, k, v);
    beside[k] = turned ?? (k < n - 1 ? row[k + 1] : 0);
    if (turned !== null) reflect(a, n, k + 1, v, w);
  }
}

/**
 * The unit vector v of the reflection that turns row k behind the diagonal into a multiple of its first element.
 *
 * @returns that multiple; null where the row is one already.
 */
function reflector(row: Float64Array, k: number, v: Float64Array): number | null {
  let tail = 0;
  for (let i = k + 2; i < row.length; i++) tail += row[i] ** 2;
  if (tail === 0) return null;
  const first = row[k + 1];
  const length = Math.sqrt(tail + first * first);
  const lead = first + (first < 0 ? -length : length); // no cancellation
  const size = Math.sqrt(tail + lead * lead);
  v[k + 1] = lead / size;
  for (let i = k + 2; i < row.length; i++) v[i] = row[i] / size;
  return first < 0 ? length : -length;
}

/** A ← A - 2 (v wᵀ + w vᵀ) on rows and columns from `from`, w = p - ⟨v, p⟩ v and p = A v. */
function reflect(a: Float64Array, n: number, from: number, v: Float64Array, w: Float64Array): void {
  let along = 0;
  for (let i = from; i < n; i++) {
    let sum = 0;
    for (let j = from; j < n; j++) sum += a[i * n + j] * v[j];
    w[i] = sum;
    along += v[i] * sum;
  }
  for (let i = from; i < n; i++) w[i] -= along * v[i];
  for (let i = from; i < n; i++) {
    const [x, y] = [2 * v[i], 2 * w[i]];
    for (let j = from; j < n; j++) a[i * n + j] -= x * w[j] + y * v[j];
  }
}

/** Makes `beside` zero, one eigenvalue after the other. */
function diagonalise(matrix: Tridiagonal, n: number): void {
  const { diagonal, beside } = matrix;
  // Relative to its neighbours an element counts on and on where both are but the noise of a singular matrix.
  const noise = Number.EPSILON * diagonal.reduce((most, x, i) => Math.max(most, Math.abs(x) + Math.abs(beside[i])), 0);
  for (let first = 0; first < n; first++)
    for (let sweep = 0; ; sweep++) {
      let last = first;
      while (last < n - 1 && Math.abs(beside[last]) > noise) last++;
      if (last === first) break;
      if (sweep === MOST_SWEEPS)
        throw new RangeError(`logrung: eigenvalue ${first} of ${n} does not settle in ${MOST_SWEEPS} sweeps`);
      chase(matrix, first, last);
    }
} // prettier-ignore

/** One QL sweep over a block: rotations from its last row up to its first, the first of them by the shift. */
function chase({ diagonal, beside }: Tridiagonal, first: number, last: number): void {
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
  }
  diagonal[first] -= moved;
  beside[first] = bulge;
  beside[last] = 0;
}
