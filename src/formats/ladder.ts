/** The numbers behind a logarithmic ladder of γ rungs an octave: rung values and rounding thresholds, exact. */

/** Fractional bits of the fixed-point roots below; error under 2^-90, float64 needs 52. */
const FRACTION = 96n;
const ONE = 1n << FRACTION;

function integerSquareRoot(n: bigint): bigint {
  let x = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

const rootCache = new Map<number, readonly bigint[]>();

/** 2^(i/n) in fixed point with 96 fractional bits, for i = 0 … n - 1; n a power of two. */
export function rootsOfTwo(n: number): readonly bigint[] {
  const cached = rootCache.get(n);
  if (cached) return cached;
  const roots = n === 1 ? [ONE] : interleave(rootsOfTwo(n / 2));
  rootCache.set(n, roots);
  return roots;
}

/** From 2^(i/n) to 2^(i/2n): the even ones stay, each odd one is the even one before it times 2^(1/2n). */
function interleave(roots: readonly bigint[]): bigint[] {
  const first = roots.length === 1 ? 2n * ONE : roots[1];
  const step = integerSquareRoot(first << FRACTION);
  return roots.flatMap((root) => [root, (root * step) >> FRACTION]);
}

const mantissaCache = new Map<number, Float64Array>();

/** 2^(i/γ) for i = 0 … γ - 1, correctly rounded to float64. The same on every engine, unlike `Math.pow`. */
export function rungMantissas(rungsPerOctave: number): Float64Array {
  let mantissas = mantissaCache.get(rungsPerOctave);
  if (!mantissas) {
    const toFloat64 = (root: bigint) =>
      Number((root + (1n << (FRACTION - 53n))) >> (FRACTION - 52n)) * 2 ** -52;
    mantissas = Float64Array.from(rootsOfTwo(rungsPerOctave), toFloat64);
    mantissaCache.set(rungsPerOctave, mantissas);
  }
  return mantissas;
}

const thresholdCache = new Map<number, Int32Array>();

/**
 * Where rounding to the nearest rung (in the log domain) moves up within an octave: entry i - 1 is the smallest
 * 23-bit mantissa field m with 1.m ≥ 2^((i - ½)/γ), for i = 1 … γ. The bound is irrational, so no float32 ties.
 */
export function rungThresholds(rungsPerOctave: number): Int32Array {
  let thresholds = thresholdCache.get(rungsPerOctave);
  if (!thresholds) {
    const halves = rootsOfTwo(2 * rungsPerOctave).filter((_, i) => i % 2 === 1);
    thresholds = Int32Array.from(halves, (root) => Number((root - ONE) >> (FRACTION - 23n)) + 1);
    thresholdCache.set(rungsPerOctave, thresholds);
  }
  return thresholds;
}

const rungFieldCache = new Map<number, Int32Array>();

/**
 * Where rounding down moves up within an octave: entry i - 1 is the mantissa field of rung i as a float32, for
 * i = 1 … γ - 1. A rung that float32 rounds down counts as itself.
 */
export function rungFields(rungsPerOctave: number): Int32Array {
  let fields = rungFieldCache.get(rungsPerOctave);
  if (!fields) {
    const field = (mantissa: number) => (Math.fround(mantissa) - 1) * 2 ** 23;
    fields = Int32Array.from(rungMantissas(rungsPerOctave).subarray(1), field);
    rungFieldCache.set(rungsPerOctave, fields);
  }
  return fields;
}

/** Whether 1.m ≥ 2^(i/n), m a 23-bit mantissa field: exact, by the roots. */
export function mantissaReaches(mantissa: number, i: number, n: number): boolean {
  const significand = BigInt(mantissa + 2 ** 23) << (FRACTION - 23n);
  return significand > rootsOfTwo(n)[i];
}
