/** Choosing the gemm micro-kernel: each is tested once, then timed for a millisecond. */
import { Module } from "./assembler.ts";
import type { Engine } from "./engine.ts";
import { MICRO_PARAMETERS, VARIANTS, defineMicro, type Variant } from "./gemm-micro.ts";

/** A micro-kernel and the rate it reached on packed panels, in GFLOP/s on one thread. */
export interface Candidate {
  readonly variant: Variant;
  readonly gflops: number;
}

export interface Calibration {
  readonly chosen: Candidate;
  /** All that work here, fastest first. */
  readonly candidates: readonly Candidate[];
  /**
   * 256-bit fusion is in effect: the wide block beats the narrow one, which it cannot on 128-bit registers.
   */
  readonly wide: boolean;
}

/** Depth of a test product, and places of its operands in the probe's memory. */
const DEPTH = 256;
const A = 1024;
const B = 16 * 1024;
const C = 48 * 1024;
/** Rounds of timing, and the least time of one in milliseconds. */
const ROUNDS = 5;
const ROUND_MS = 0.25;
/** How much faster 6×16 must be than 6×8 to be sure that registers are wide. */
const WIDE_GAIN = 1.1;

type Micro = (...parameters: number[]) => void;

/**
 * Tests and times the micro-kernels that the engine can run: those with fused multiply-add where it has it,
 * else those without, so that the choice never changes a result. Takes about 10 ms.
 *
 * @throws Error when none computes correctly, which no engine has been seen to do.
 */
export function calibrate(engine: Engine, relaxedSimd: boolean): Calibration {
  const memory = probeMemory(engine);
  const probes = VARIANTS.filter(({ fused }) => fused === relaxedSimd)
    .map((variant) => probe(engine, memory, variant))
    .filter((found) => found !== null);
  if (probes.length === 0) throw new Error("logrung: no gemm kernel computes correctly on this engine");
  // In turns, so that what else the machine does meets all of them.
  for (let round = 0; round < ROUNDS; round++) for (const each of probes) timeOnce(each);
  const candidates = probes
    .map(({ variant, gflops }) => ({ variant, gflops }))
    .toSorted((x, y) => y.gflops - x.gflops);
  const of = (columns: number) =>
    candidates.find(({ variant }) => variant.columns === columns && variant.fused);
  const wide = (of(16)?.gflops ?? 0) > WIDE_GAIN * (of(8)?.gflops ?? Infinity);
  return { chosen: candidates[0], candidates, wide };
}

/**
 * Pages that the memory of a test may have. V8 gives equal modules the code that it compiled first, whatever its flags
 * are now: modules for wide registers must not be those for narrow ones.
 */
export const probePages = (engine: Engine): number => (engine.revectorize ? 1 : 2);

/** The memory of a test. */
export const probeMemory = (engine: Engine): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: 1, maximum: probePages(engine) });

/** A micro-kernel under test. */
interface Probe {
  readonly variant: Variant;
  /** Runs it `count` times on packed panels. */
  readonly repeat: (count: number) => void;
  /** Calls that take long enough to time. */
  count: number;
  /** The best of its rounds: others were disturbed. */
  gflops: number;
}

interface ProbeExports {
  readonly packed: Micro;
  readonly strided: Micro;
  readonly repeat: (count: number) => void;
}

/** Null when it cannot be compiled or computes nonsense. */
function probe(engine: Engine, memory: WebAssembly.Memory, variant: Variant): Probe | null {
  try {
    const { packed, strided, repeat } = instantiate(engine, memory, variant);
    const correct = [packed, strided].every((micro) => isCorrect(micro, memory, variant));
    return correct ? { variant, repeat, count: 8, gflops: 0 } : null;
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.RuntimeError) return null;
    throw error;
  }
}

function instantiate(engine: Engine, memory: WebAssembly.Memory, variant: Variant): ProbeExports {
  const module = new Module({ maximumPages: probePages(engine), shared: false });
  const callee = defineMicro(module, variant, true, "packed");
  defineMicro(module, variant, false, "strided");
  module.function(["i32"], [], "repeat", (code, count) => {
    code.loop(() => {
      for (const parameter of parameters(variant, false)) code.i32(parameter);
      code.call(callee).get(count).i32(1).op("i32.sub").tee(count).brIf(0);
    });
  });
  const instance = new WebAssembly.Instance(engine.compile(module.encode()), { env: { memory } });
  return instance.exports as unknown as ProbeExports;
}

/** What `micro` takes: packed panels, a tile of C with adjacent rows. */
function parameters({ rows, columns }: Variant, accumulate: boolean): number[] {
  const list = [DEPTH, A, 4, rows * 4, B, columns * 4, C, columns * 4, accumulate ? 1 : 0];
  return list.slice(0, MICRO_PARAMETERS);
}

/** Small integers, so that every order of summation gives the exact result. */
function isCorrect(micro: Micro, memory: WebAssembly.Memory, variant: Variant): boolean {
  const { rows, columns } = variant;
  const a = new Float32Array(memory.buffer, A, rows * DEPTH).map((_, i) => ((i * 7) % 13) - 6);
  const b = new Float32Array(memory.buffer, B, columns * DEPTH).map((_, i) => ((i * 5) % 11) - 5);
  new Float32Array(memory.buffer, A, a.length).set(a);
  new Float32Array(memory.buffer, B, b.length).set(b);
  micro(...parameters(variant, false));
  micro(...parameters(variant, true));
  const c = new Float32Array(memory.buffer, C, rows * columns);
  return c.every((value, i) => {
    let sum = 0;
    for (let k = 0; k < DEPTH; k++)
      sum += a[k * rows + Math.floor(i / columns)] * b[k * columns + (i % columns)];
    return value === 2 * sum;
  });
}

/** One round, at least {@link ROUND_MS} long. */
function timeOnce(candidate: Probe): void {
  const flops = 2 * candidate.variant.rows * candidate.variant.columns * DEPTH;
  for (;;) {
    const start = performance.now();
    candidate.repeat(candidate.count);
    const elapsed = performance.now() - start;
    if (elapsed >= ROUND_MS) {
      candidate.gflops = Math.max(candidate.gflops, (flops * candidate.count) / elapsed / 1e6);
      return;
    }
    candidate.count *= 2;
  }
}
