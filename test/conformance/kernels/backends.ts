/** The backends under test; the float64 reference judges them. */
import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";

/** A backend under test. */
export interface Candidate {
  readonly name: string;
  readonly make: () => Promise<Backend>;
}

/** The interpreter, rounding to float32 at every step. */
export const referenceFloat32: Candidate = {
  name: "reference float32",
  make: async () => createReferenceBackend({ precision: "float32" }),
};
/** All that this engine offers, on one thread. */
export const wasmOneThread: Candidate = {
  name: "wasm, 1 thread",
  make: () => createWasmBackend({ threads: 1 }),
};
/** All that this engine offers, on two threads. */
export const wasmTwoThreads: Candidate = {
  name: "wasm, 2 threads",
  make: () => createWasmBackend({ threads: 2 }),
};
/** What every engine has: fma rounds twice, vectors are 128 bits wide. */
export const wasmBaseline: Candidate = {
  name: "wasm, baseline features",
  make: () => createWasmBackend({ threads: 1, features: { relaxedSimd: false, revectorize: false } }),
};

/** Those whose values are judged; wasm's other threads must give the bits of one. */
export const candidates: readonly Candidate[] = [referenceFloat32, wasmOneThread, wasmBaseline];
