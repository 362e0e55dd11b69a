/** Random programs give the same bits on every backend. */
import { assert, asyncProperty, nat } from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";

import type { Backend, MatrixSizes } from "../../../src/kernels/backend.ts";
import type { PointwiseKernel } from "../../../src/kernels/pointwise.ts";
import { referenceFloat32, wasmOneThread } from "./backends.ts";
import { answer, exact, judge, type Case } from "./case.ts";
import { dataOf } from "./pointwise-cases.ts";
import { INPUTS, randomKernel } from "./random-programs.ts";

const RUNS = 150;
const SEED = 20260117;
const sizes: MatrixSizes = { outer: 2, rows: 3, columns: 43 };

const lengths = { element: 258, row: 6, column: 43, block: 86, scalar: 1, table: 0, gathered: 0 };

const caseOf = (kernel: PointwiseKernel, seed: number): Case => ({
  name: "random",
  kernel,
  sizes,
  uniforms: { x: -1.75, n: 0x9e3779b9 },
  inputs: Object.fromEntries(
    Object.entries(INPUTS).map(([name, { storage, access }], i) => [
      name,
      { storage, data: dataOf(storage, lengths[access], seed + i) },
    ]),
  ),
  outputs: Object.fromEntries(
    Object.entries(kernel.outputs).map(([name, { storage }]) => [name, { storage, length: lengths.element }]),
  ),
  tolerance: exact,
});

describe("random programs", () => {
  let reference: Backend;
  let wasm: Backend;
  beforeAll(async () => {
    [reference, wasm] = [await referenceFloat32.make(), await wasmOneThread.make()];
  });
  afterAll(() => Promise.all([reference.close(), wasm.close()]));

  it("give wasm's bits on the float32 reference", async () => {
    const property = asyncProperty(randomKernel, nat({ max: 1000 }), async (kernel, seed) => {
      const test = caseOf(kernel, seed);
      judge(test, await answer(reference, test), await answer(wasm, test));
    });
    await assert(property, { numRuns: RUNS, seed: SEED });
  });
});
