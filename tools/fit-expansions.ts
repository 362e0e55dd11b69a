/** Prints the coefficients that `src/kernels/math` holds: `node tools/fit-expansions.ts`. */
import { erf } from "../src/kernels/reference/erf.ts";
import { fit, type FitProblem } from "./minimax.ts";

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** log₂ erfc(a): where 1 - erf(a) has lost its digits, Laplace's continued fraction takes over. */
function log2erfc(a: number): number {
  if (a < 2) return Math.log2(1 - erf(a));
  let fraction = a;
  for (let level = 120; level >= 1; level--) fraction = a + level / 2 / fraction;
  return -a * a * Math.LOG2E - Math.log2(fraction * Math.sqrt(Math.PI));
}

const R = Math.LN2 / 2;
const [SMALL, LARGE] = [Math.SQRT1_2 - 1, Math.SQRT2 - 1];
/** Series of (f(x) - x) / x^k near zero are needed where the plain difference cancels. */
const nearZero = (x: number, exact: number, series: number): number => (Math.abs(x) < 1e-3 ? series : exact);

const problems: Record<string, FitProblem> = {
  "exp2: (2^f - 1) / f": {
    target: (f) => nearZero(f, Math.expm1(f * Math.LN2) / f, expm1Ratio(f * Math.LN2) * Math.LN2),
    weight: (f) => Math.abs(f) / 2 ** f, from: -0.5, to: 0.5, powers: range(0, 5),
  },
  "exp2 coarse: (2^f - 1) / f": {
    target: (f) => nearZero(f, Math.expm1(f * Math.LN2) / f, expm1Ratio(f * Math.LN2) * Math.LN2),
    weight: (f) => Math.abs(f) / 2 ** f, from: -0.5, to: 0.5, powers: range(0, 4),
  },
  "exp: (e^r - 1 - r) / r^2": {
    target: (r) => nearZero(r, (Math.expm1(r) - r) / r ** 2, 1 / 2 + r / 6 + r ** 2 / 24 + r ** 3 / 120),
    weight: (r) => r ** 2 / Math.exp(r), from: -R, to: R, powers: range(0, 4),
  },
  "log2: (log2(1 + f) - f) / f": {
    target: (f) => nearZero(f, Math.log1p(f) / f,
    1 - f / 2 + f ** 2 / 3 - f ** 3 / 4 + f ** 4 / 5) * Math.LOG2E - 1,
    weight: (f) => nearZero(f, f / Math.log1p(f), 1), from: SMALL, to: LARGE, powers: range(0, 8),
  },
  "log: (log(1 + f) - f) / f^2": {
    target: (f) => Math.abs(f) < 0.02 ? logTail(f) : (Math.log1p(f) - f) / f ** 2,
    weight: (f) => Math.abs(f) * nearZero(f, f / Math.log1p(f), 1), from: SMALL, to: LARGE,
    powers: range(0, 7),
  },
  "tanh: (tanh(x) / x - 1) / x^2, in x^2": {
    target: (z) =>
      z < 1e-3
        ? -1 / 3 + (2 * z) / 15 - (17 * z * z) / 315
        : (Math.tanh(Math.sqrt(z)) / Math.sqrt(z) - 1) / z,
    weight: (z) => z, from: 1e-9, to: 0.56 ** 2, powers: range(0, 3),
  },
  "erf: erf(x) / x - 1, in x^2": {
    target: (z) => erf(Math.sqrt(z)) / Math.sqrt(z) - 1,
    weight: () => 1, from: 1e-9, to: 1, powers: range(0, 5),
  },
  "erf: log2 erfc(a)": {
    target: log2erfc,
    weight: (a) => 1 - erf(a) + 1e-4, from: 1, to: 4, powers: range(0, 6),
  },
}; // prettier-ignore

/** (e^r - 1) / r near zero. */
function expm1Ratio(r: number): number {
  return 1 + r / 2 + r ** 2 / 6 + r ** 3 / 24;
}

/** (log(1 + f) - f) / f², by its series. */
function logTail(f: number): number {
  return range(2, 14).reduce((sum, n) => sum + (n % 2 === 0 ? -1 : 1) * (f ** (n - 2) / n), 0);
}

for (const [name, problem] of Object.entries(problems)) {
  const { coefficients, error } = fit(problem);
  console.log(`${name}\n  2^${Math.log2(error).toFixed(2)}  [${coefficients.join(", ")}]`);
}
