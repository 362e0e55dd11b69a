/** Trying micro-kernels out: those that compile and compute rightly are timed for a millisecond. */
import type { Engine } from "./engine.ts";

/** A micro-kernel under test. */
export interface Probe<V> {
  readonly variant: V;
  /** Runs it `count` times on packed panels. */
  readonly repeat: (count: number) => void;
  /** Operations of one run, two a multiply-add. */
  readonly flops: number;
}

/** A micro-kernel and the rate that it reached on packed panels, in GFLOP/s on one thread. */
export interface Timed<V> {
  readonly variant: V;
  readonly gflops: number;
}

/** Rounds of timing, and the least time of one in milliseconds. */
const ROUNDS = 5;
const ROUND_MS = 0.25;

/**
 * Pages that the memory of a test may have. V8 gives equal modules the code that it compiled first, whatever its flags
 * are now: modules for wide registers must not be those for narrow ones.
 */
export const probePages = (engine: Engine): number => (engine.revectorize ? 1 : 2);

/** The memory of a test. */
export const probeMemory = (engine: Engine): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: 1, maximum: probePages(engine) });

/**
 * Times what `probe` makes of each variant: null where it computes nonsense, and it may throw what an engine throws that
 * cannot compile it.
 *
 * @returns those that work, fastest first.
 */
export function timed<V>(
  variants: readonly V[],
  probe: (variant: V) => Probe<V> | null,
): readonly Timed<V>[] {
  const probes = variants.map((variant) => attempt(() => probe(variant))).filter((found) => found !== null);
  const counts = probes.map(() => 8);
  const rates = probes.map(() => 0);
  // In turns, so that what else the machine does meets all of them; the best of its rounds, others were disturbed.
  for (let round = 0; round < ROUNDS; round++)
    probes.forEach((each, i) => {
      const { count, rate } = rateOnce(each, counts[i]);
      counts[i] = count;
      rates[i] = Math.max(rates[i], rate);
    });
  return probes
    .map(({ variant }, i) => ({ variant, gflops: rates[i] }))
    .toSorted((x, y) => y.gflops - x.gflops);
}

function attempt<T>(work: () => T | null): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.RuntimeError) return null;
    throw error;
  }
}

/** One round, at least {@link ROUND_MS} long, of as many runs as that takes. */
function rateOnce<V>(probe: Probe<V>, least: number): { readonly count: number; readonly rate: number } {
  for (let count = least; ; count *= 2) {
    const start = performance.now();
    probe.repeat(count);
    const elapsed = performance.now() - start;
    if (elapsed >= ROUND_MS) return { count, rate: (probe.flops * count) / elapsed / 1e6 };
  }
}
