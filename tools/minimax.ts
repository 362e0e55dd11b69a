/** Minimax fits of polynomials whose coefficients are float32, for the expansions in `src/kernels/math`. */

/** A function, where it is to be approximated, and by which powers. */
export interface FitProblem {
  /** What is approximated, in float64. */
  readonly target: (x: number) => number;
  /** Error weight: 1 for absolute error, 1 / |f| for error relative to f. */
  readonly weight: (x: number) => number;
  readonly from: number;
  readonly to: number;
  /** The powers of x that are fitted. */
  readonly powers: readonly number[];
}

/** The answer to a {@link FitProblem}. */
export interface Fit {
  /** One float32 a power. */
  readonly coefficients: readonly number[];
  /** The largest weighted error on the grid. */
  readonly error: number;
}

const POINTS = 1200;

/**
 * Fits all coefficients, rounds the one of the lowest power to float32, fits the others to what is left, and
 * so on: each rounding is made good by the coefficients that follow.
 */
export function fit(problem: FitProblem): Fit {
  const xs = chebyshevPoints(problem.from, problem.to);
  const weights = xs.map(problem.weight);
  let left = xs.map(problem.target);
  const coefficients: number[] = [];
  for (let i = 0; i < problem.powers.length; i++) {
    const [first] = minimax(xs, left, weights, problem.powers.slice(i));
    const rounded = Math.fround(first);
    coefficients.push(rounded);
    left = left.map((y, j) => y - rounded * xs[j] ** problem.powers[i]);
  }
  return { coefficients, error: Math.max(...left.map((y, j) => Math.abs(y * weights[j]))) };
}

const chebyshevPoints = (from: number, to: number): number[] =>
  Array.from({ length: POINTS }, (_, i) => {
    const t = Math.cos(((i + 0.5) * Math.PI) / POINTS);
    return (from + to) / 2 - ((to - from) / 2) * t;
  });

/**
 * Lawson's algorithm: least squares again and again, each point's weight multiplied by its error, until the
 * errors of the points that still weigh anything are equal.
 *
 * @source C. L. Lawson, Contributions to the theory of linear least maximum approximation, 1961.
 */
function minimax(xs: number[], ys: number[], weights: number[], powers: readonly number[]): number[] {
  let lawson = xs.map(() => 1 / xs.length);
  let best: number[] = [];
  let least = Infinity;
  for (let round = 0; round < 300; round++) {
    const solution = leastSquares(xs, ys, weights.map((w, i) => w * Math.sqrt(lawson[i])),
    powers); // prettier-ignore
    const errors = xs.map((x, i) => Math.abs(weights[i] * (evaluate(solution, powers, x) - ys[i])));
    const worst = Math.max(...errors);
    if (worst < least) [least, best] = [worst, solution];
    if (worst === 0) break;
    lawson = lawson.map((w, i) => w * errors[i]);
    const total = lawson.reduce((a, b) => a + b, 0);
    lawson = lawson.map((w) => w / total);
  }
  return best;
}

const evaluate = (coefficients: number[], powers: readonly number[], x: number): number =>
  coefficients.reduce((sum, c, i) => sum + c * x ** powers[i], 0);

/** Weighted least squares by orthogonalising the columns (modified Gram-Schmidt, twice). */
function leastSquares(xs: number[], ys: number[], weights: number[], powers: readonly number[]): number[] {
  const columns = powers.map((p) => xs.map((x, i) => weights[i] * x ** p));
  const n = columns.length;
  const r = columns.map(() => new Float64Array(n + 1));
  const rest = ys.map((y, i) => y * weights[i]);
  for (let i = 0; i < n; i++) {
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < i; j++) r[j][i] += removeFrom(columns[i], columns[j]);
    const length = Math.sqrt(dot(columns[i], columns[i]));
    r[i][i] = length;
    for (let k = 0; k < columns[i].length; k++) columns[i][k] /= length;
  }
  for (let i = 0; i < n; i++) r[i][n] = removeFrom(rest, columns[i]);
  const solution = Array.from({ length: n }, () => 0);
  for (let i = n - 1; i >= 0; i--) {
    let value = r[i][n];
    for (let j = i + 1; j < n; j++) value -= r[i][j] * solution[j];
    solution[i] = value / r[i][i];
  }
  return solution;
}

const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Takes from `vector` its part along the unit vector `along`, and returns how much that was. */
function removeFrom(vector: number[], along: number[]): number {
  const amount = dot(vector, along);
  for (let k = 0; k < vector.length; k++) vector[k] -= amount * along[k];
  return amount;
}
