/** What a lowering (one per kernel shape) gives to the wasm backend. */
import type { Call, BufferSlice, Kernel } from "../backend.ts";

/** What the engine offers to a module that is about to be assembled. */
export interface Target {
  /** `fma` becomes `f32x4.relaxed_madd`; other relaxed instructions may be used too. */
  readonly relaxedSimd: boolean;
  /** The engine fuses pairs of adjacent 128-bit operations into 256-bit ones: emit two vectors a turn, in pairs. */
  readonly revectorize: boolean;
  readonly shared: boolean;
  readonly maximumPages: number;
}

/** Bytes of scratch memory that each thread is given at every run, 64-byte aligned. */
export const SCRATCH_BYTES = 64 * 1024;

/** Words of the argument block; the backend fills word 0 with the address of `constants`, word 1 with the workspace's. */
export const ARGUMENT_WORDS = 256;

/** The arguments of one run, as they lie in shared memory: two views of the same words. */
export interface Arguments {
  readonly words: Int32Array;
  readonly floats: Float32Array;
}

/**
 * A kernel in WebAssembly. `module` exports
 *
 *   run(thread: i32, threads: i32, arguments: i32, scratch: i32)
 *
 * which every thread calls once per dispatch, with its own scratch. Threads split the work by output rows, tiles or
 * column ranges, never along a reduction; the function returns when this thread's share is done.
 */
export interface Lowered {
  readonly module: Uint8Array<ArrayBuffer>;
  /** Read-only data (splatted constants, tables), placed once, 64-byte aligned. */
  readonly constants: Uint8Array;
  /** Fills the argument block from word 2 on, for a run on `threads` threads. The call has been validated. */
  encode(call: Call, address: (slice: BufferSlice) => number, target: Arguments, threads: number): void;
  /** Estimated time of a run on one thread in microseconds, to decide whether waking the others is worth it. */
  cost(call: Call): number;
  /** Bytes of workspace shared by all threads of a run (gemm panels); its address is put in word 1. Default none. */
  workspace?(call: Call, threads: number): number;
}

export type Lowering<K extends Kernel> = (kernel: K, target: Target) => Lowered;
