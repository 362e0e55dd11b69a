/** The error function in float64, which Math lacks. */

const SERIES_END = 2.5;
/** From here on erf is 1 to the last bit of a double. */
const ONE_FROM = 6;

/**
 * erf(x) = 2/√π ∫₀ˣ e^(-t²) dt, to about 1e-15.
 *
 * - |x| < 2.5: 2/√π · e^(-x²) · Σₙ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)); all terms have one sign, so nothing cancels.
 * - beyond: 1 - erfc(x), erfc by Laplace's continued fraction
 *   e^(-x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))).
 *
 * @source Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const size = Math.abs(x);
  if (size < SERIES_END) return series(x);
  const value = size >= ONE_FROM ? 1 : 1 - tail(size);
  return x < 0 ? -value : value;
}

function series(x: number): number {
  const square = x * x;
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 2 ** -55; n++) {
    term *= (2 * square) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum * x;
}

/** erfc(x) for x ≥ 2.5. At 2.5 some 60 levels reach double precision; more cost nothing that matters here. */
function tail(x: number): number {
  let fraction = x;
  for (let level = 80; level >= 1; level--) fraction = x + level / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
