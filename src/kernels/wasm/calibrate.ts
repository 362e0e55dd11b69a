/** Choosing the gemm micro-kernel: each is tested once, then timed for a millisecond. */
import { Module } from "./assembler.ts";
import type { Engine } from "./engine.ts";
import { MICRO_PARAMETERS, VARIANTS, defineMicro, type Variant } from "./gemm-micro.ts";
import { probeMemory, probePages, timed, type Probe, type Timed } from "./micro-timing.ts";

/** A micro-kernel and its rate. */
export type Candidate = Timed<Variant>;

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
  const candidates = timed(
    VARIANTS.filter(({ fused }) => fused === relaxedSimd),
    (variant) => probe(engine, memory, variant),
  );
  if (candidates.length === 0) throw new Error("logrung: no gemm kernel computes correctly on this engine");
  const of = (columns: number) =>
    candidates.find(({ variant }) => variant.columns === columns && variant.fused);
  const wide = (of(16)?.gflops ?? 0) > WIDE_GAIN * (of(8)?.gflops ?? Infinity);
  return { chosen: candidates[0], candidates, wide };
}

interface ProbeExports {
  readonly packed: Micro;
  readonly strided: Micro;
  readonly repeat: (count: number) => void;
}

/** Null when it computes nonsense. */
function probe(engine: Engine, memory: WebAssembly.Memory, variant: Variant): Probe<Variant> | null {
  const { packed, strided, repeat } = instantiate(engine, memory, variant);
  const correct = [packed, strided].every((micro) => isCorrect(micro, memory, variant));
  return correct ? { variant, repeat, flops: 2 * variant.rows * variant.columns * DEPTH } : null;
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
