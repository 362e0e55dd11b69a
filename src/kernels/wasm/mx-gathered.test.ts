import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  agree,
  results,
  codes,
  codesOf,
  elements,
  floats,
  reals,
  scaleCodes,
  type Arrays,
  type Name,
} from "../../../test/wasm/mx-problems.ts";
import type { Backend } from "../backend.ts";
import { mxGemm, type MxBlock, type MxGemmSizes, type MxOperand } from "../mx-gemm.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { perColumn, output } from "../signature.ts";
import { createWasmBackend } from "./index.ts";
import { MX_VARIANTS } from "./mx-micro.ts";

let backends: readonly Backend[];
beforeAll(async () => {
  backends = [await createWasmBackend({ threads: 1 }), await createWasmBackend({ threads: 2 })];
});
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

/** Elements of a gathered operand's buffer. */
const HELD = 3000;

/** Offsets without a pattern but for runs; multiples of `step`. */
const offsets = (count: number, seed: number, run = 1, step = 1) =>
  Int32Array.from({ length: count }, (_, i) => {
    const first = i - (i % run);
    return ((first * 7919 + seed * 104729) % Math.floor((HELD / 2 - run) / step)) * step + (i % run);
  });

interface Problem {
  readonly a: MxOperand;
  readonly b: MxOperand;
  readonly block?: MxBlock;
  readonly sizes: readonly [number, number, number];
  readonly run?: number;
}

const nameOf = ({ element }: MxOperand) =>
  (Object.keys(elements) as Name[]).find((name) => elements[name] === element) ?? "e2m1";

/** A kernel and a call of it; what is not gathered is stored plain. */
function problem({ a, b, block = 32, sizes: [m, n, k], run = 1 }: Problem) {
  const kernel = mxGemm("gathered", a, b, block);
  const inputs: Record<string, Arrays[string]> = {};
  const blocks = Math.ceil(k / block);
  const side = (name: "a" | "b", operand: MxOperand, rows: number, columns: number) => {
    const { source, gathered } = operand;
    const length = gathered ? HELD : rows * columns;
    inputs[name] = source === "f32" ? reals(length, rows) : codes(nameOf(operand), length);
    if (source === "codes") inputs[`${name}Scale`] = scaleCodes(gathered ? HELD : blocks * Math.max(m, n));
    const plain = { row: columns, column: 1, ...(name === "a" ? { scaleRow: blocks, scaleColumn: 1 } : { scaleRow: n, scaleColumn: 1 }) };
    if (!gathered) return plain;
    const inBlocks = source === "codes";
    const [rowStep, columnStep] = inBlocks ? [block, block] : [1, 1];
    const deepRun = inBlocks ? block : 1;
    inputs[`${name}Rows`] = offsets(rows, 1, name === "b" ? deepRun : 1, rowStep);
    inputs[`${name}Columns`] = offsets(columns, 2, inBlocks ? (name === "a" ? block : 1) : run, columnStep);
    return { row: 0, column: 0, run: inBlocks ? 1 : run };
  };
  const sizes: MxGemmSizes = { m, n, k, a: side("a", a, m, k), b: side("b", b, k, n), c: { row: n } };
  return { kernel, inputs, outputs: { c: new Float32Array(m * n) }, sizes };
} // prettier-ignore

const run = (given: Problem, on = backends, judged?: Readonly<Record<string, number[]>>) => {
  const { kernel, inputs, outputs, sizes } = problem(given);
  return agree(kernel, inputs, outputs, sizes, on, judged);
};

const gathered = (operand: MxOperand): MxOperand => ({ ...operand, gathered: true });

describe("mx-gemm of gathered operands", () => {
  it("quantises floats on either side or both, for runs of any length", async () => {
    const sides = [
      [gathered(floats("e2m3")), codesOf("e2m3")],
      [floats("e2m3"), gathered(floats("e2m3"))],
      [gathered(floats("e2m3")), gathered(floats("e2m3"))],
    ];
    for (const [a, b] of sides)
      for (const columns of [1, 3, 4, 9])
        for (const sizes of [[13, 27, 36], [50, 35, 131], [5, 3, 600]] as const)
          await run({ a, b, sizes, run: columns });
  }); // prettier-ignore

  it("takes codes whose blocks are adjacent, with the scales where they begin", async () => {
    for (const block of [16, 32, 64] as const)
      for (const sizes of [[1, 4, 64], [13, 20, 192], [50, 35, 640]] as const) {
        await run({ a: gathered(codesOf("e2m3")), b: codesOf("e2m3"), block, sizes });
        await run({ a: floats("e2m3"), b: gathered(codesOf("e2m3")), block, sizes });
      }
  }); // prettier-ignore

  it("takes every element, rounding rule and scale rule", async () => {
    const sizes = [21, 19, 96] as const;
    for (const name of Object.keys(elements) as Name[]) {
      await run({ a: gathered(codesOf(name)), b: gathered(floats(name)), sizes, run: 4 });
      for (const rounding of ["nearest-away", "floor"] as const)
        await run({ a: gathered(floats(name, rounding)), b: codesOf(name), sizes, run: 9 });
    }
  });

  it("gives the same bits by every micro-kernel, and without relaxed SIMD", async () => {
    const given = ["e2m1", "e2m3", "int8"].flatMap((name) => [
      { a: gathered(floats(name as Name)), b: gathered(floats(name as Name)), sizes: [17, 37, 135], run: 9 } as const,
      { a: gathered(codesOf(name as Name)), b: codesOf(name as Name), sizes: [17, 37, 128] } as const,
    ]);
    const judged = await Promise.all(given.map((each) => run(each, [])));
    const options = [
      ...MX_VARIANTS.map(({ name }) => ({ threads: 2, mxMicroKernel: name })),
      { threads: 1, features: { relaxedSimd: false, revectorize: false } },
    ];
    for (const option of options) {
      const backend = await createWasmBackend(option);
      for (const [i, each] of given.entries()) await run(each, [backend], judged[i]);
      await backend.close();
    }
  }); // prettier-ignore

  it("equals the product of the gathered matrix by strides", async () => {
    const [m, n, k] = [30, 22, 75];
    for (const a of [floats("e2m1"), { source: "f32", element: null } as const]) {
      const { kernel, inputs, outputs, sizes } = problem({ a: gathered(a), b: floats("e2m1"), sizes: [m, n, k], run: 3 });
      const { aRows, aColumns } = inputs;
      const matrix = Float32Array.from({ length: m * k }, (_, i) => inputs.a[aRows[Math.floor(i / k)] + aColumns[i % k]]);
      const strided = mxGemm("strided", a, kernel.b);
      const lies = { ...sizes, a: { row: k, column: 1 } };
      const [one, two] = backends;
      const expected = await agree(strided, { a: matrix, b: inputs.b }, outputs, lies, [two], await results(one, strided, { a: matrix, b: inputs.b }, outputs, lies));
      await agree(kernel, inputs, outputs, sizes, backends, expected);
    }
  }); // prettier-ignore

  it("moves by batches, and adds a bias", async () => {
    const bias = mxGemm("biased", gathered(codesOf("e2m3")), codesOf("e2m3"), 32, { bias: perColumn("f32") }, {},
      (p, s) => ({ c: output("f32", p.add(s.bias)) })); // prettier-ignore
    const { inputs, sizes } = problem({ a: bias.a, b: bias.b, sizes: [13, 20, 64] });
    const batched: MxGemmSizes = {
      ...sizes, outer: 2, a: { row: 0, column: 0, outer: 64, scaleOuter: 2 }, c: { outer: 260, row: 20 },
    };
    const given = { ...inputs, bias: reals(20, 5) };
    await agree(bias, given, { c: new Float32Array(2 * 260) }, batched, backends);
  }); // prettier-ignore

  it("wants whole blocks of gathered codes", () => {
    const judge = createReferenceBackend();
    const { kernel, sizes } = problem({
      a: gathered(codesOf("e2m1")),
      b: codesOf("e2m1"),
      sizes: [4, 4, 40],
    });
    const call = { inputs: {}, outputs: {}, sizes };
    expect(() => judge.run(judge.compile(kernel), call)).toThrow(
      'kernel "gathered": size "k" is 40, wants whole blocks of 32',
    );
  });
});
