/** Every case on every backend, against the float64 reference. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { candidates, wasmOneThread, wasmTwoThreads } from "./backends.ts";
import { answer, judge, type Answer, type Case } from "./case.ts";
import { gatherCases } from "./gather-cases.ts";
import { gatheredGemmCases } from "./gathered-gemm-cases.ts";
import { gemmCases } from "./gemm-cases.ts";
import { pointwiseCases } from "./pointwise-cases.ts";
import { operationCases } from "./pointwise-operations.ts";
import { reductionCases } from "./reduction-cases.ts";

const cases: readonly Case[] = [
  ...operationCases,
  ...pointwiseCases,
  ...reductionCases,
  ...gatherCases,
  ...(await gemmCases()),
  ...gatheredGemmCases,
];

const named = cases.map((test) => [test.name, test] as const);
const judgements = new Map<Case, Promise<Answer>>();

/** The judge's answer, worked out once. */
function judged(test: Case): Promise<Answer> {
  let known = judgements.get(test);
  if (!known) judgements.set(test, (known = answer(createReferenceBackend(), test)));
  return known;
}

it("tells its cases apart", () => {
  const names = cases.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

describe.each(candidates.map((c) => [c.name, c] as const))("%s", (_name, { make }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await make();
  });
  afterAll(() => backend.close());

  it.each(named)("%s", async (_, test) => {
    judge(test, await judged(test), await answer(backend, test));
  });

  it("holds no more memory after the same runs again", async () => {
    const some = cases.filter((_test, i) => i % 20 === 0);
    for (const test of some) await answer(backend, test);
    const held = backend.memory.bytes;
    for (const test of some) await answer(backend, test);
    expect(backend.memory.bytes).toBe(held);
  });
});

describe("wasm on two threads", () => {
  let one: Backend;
  let two: Backend;
  beforeAll(async () => {
    [one, two] = [await wasmOneThread.make(), await wasmTwoThreads.make()];
  });
  afterAll(() => Promise.all([one.close(), two.close()]));

  it.each(named)("gives the bits of one thread: %s", async (_, test) => {
    const [alone, together] = [await answer(one, test), await answer(two, test)];
    for (const [name, values] of Object.entries(alone))
      expect(bytesOf(together[name]).equals(bytesOf(values)), name).toBe(true);
  });
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Answer[string]): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
