/** The backends under test; the float64 reference judges them. */
import { existsSync } from "node:fs";

import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";

/** A backend under test. */
export interface Candidate {
  readonly name: string;
  readonly make: () => Promise<Backend>;
  /** Why it cannot be tested here. */
  readonly missing?: string;
}

const wasm = new URL("../../../src/kernels/wasm/index.ts", import.meta.url);
const missing = existsSync(wasm) ? {} : { missing: "src/kernels/wasm is not there" };

interface Options {
  readonly threads: number;
  readonly features?: { readonly relaxedSimd: boolean; readonly revectorize: boolean };
}

async function makeWasm(options: Options): Promise<Backend> {
  const module = (await import(wasm.href)) as { createWasmBackend: (options: Options) => Promise<Backend> };
  return module.createWasmBackend(options);
}

/** The interpreter, rounding to float32 at every step. */
export const referenceFloat32: Candidate = {
  name: "reference float32",
  make: async () => createReferenceBackend({ precision: "float32" }),
};
/** All that this engine offers, on one thread. */
export const wasmOneThread: Candidate = {
  name: "wasm, 1 thread",
  make: () => makeWasm({ threads: 1 }),
  ...missing,
};
/** All that this engine offers, on two threads. */
export const wasmTwoThreads: Candidate = {
  name: "wasm, 2 threads",
  make: () => makeWasm({ threads: 2 }),
  ...missing,
};
/** What every engine has: fma rounds twice, vectors are 128 bits wide. */
export const wasmBaseline: Candidate = {
  name: "wasm, baseline features",
  make: () => makeWasm({ threads: 1, features: { relaxedSimd: false, revectorize: false } }),
  ...missing,
};

/** Those whose values are judged; wasm's other threads must give the bits of one. */
export const candidates: readonly Candidate[] = [referenceFloat32, wasmOneThread, wasmBaseline];
