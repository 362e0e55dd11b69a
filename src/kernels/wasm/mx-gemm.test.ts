import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  agree as agreeOn,
  codes,
  codesOf,
  elements,
  floats,
  problem,
  reals,
  scaleCodes,
  table,
  type Arrays,
  type Name,
} from "../../../test/wasm/mx-problems.ts";
import type { Backend } from "../backend.ts";
import { e8m0Values, elementBits } from "../mx-element.ts";
import { mxGemm, type MxGemmKernel, type MxGemmSizes, type MxOperand } from "../mx-gemm.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output, perColumn, perRow } from "../signature.ts";
import { createWasmBackend } from "./index.ts";
import { MX_VARIANTS } from "./mx-micro.ts";

let one: Backend;
let two: Backend;
const judge = createReferenceBackend({ precision: "float32" });

beforeAll(async () => {
  one = await createWasmBackend({ threads: 1 });
  two = await createWasmBackend({ threads: 2 });
});
afterAll(async () => {
  await one.close();
  await two.close();
});

/** The judge's bits, on one thread and on two. */
const agree = (
  kernel: MxGemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: MxGemmSizes,
  backends: readonly Backend[] = [one, two],
  judged?: Readonly<Record<string, number[]>>,
) => agreeOn(kernel, inputs, outputs, sizes, backends, judged);

const SHAPES = [
  [1, 1, 1], [1, 40, 7], [7, 1, 300], [6, 16, 64], [13, 33, 257], [50, 50, 96], [3, 9, 1100], [29, 4, 600],
] as const; // prettier-ignore

describe("mx-gemm in wasm", () => {
  it.each(["plain", "transposed", "gaps"] as const)(
    "quantises both operands of any sizes, A %s",
    async (a) => {
      const kernel = mxGemm("e2m3 floats", floats("e2m3"), floats("e2m3"));
      for (const b of ["plain", "transposed", "gaps"] as const)
        for (const shape of SHAPES) {
          const { sizes, inputs, outputs } = problem(kernel, shape, a, b);
          await agree(kernel, inputs, outputs, sizes);
        }
    },
  );

  it.each(["plain", "transposed", "gaps"] as const)("decodes both operands of any sizes, A %s", async (a) => {
    const kernel = mxGemm("e2m3 codes", codesOf("e2m3"), codesOf("e2m3"));
    for (const b of ["plain", "transposed", "gaps"] as const)
      for (const shape of SHAPES) {
        const { sizes, inputs, outputs } = problem(kernel, shape, a, b);
        await agree(kernel, inputs, outputs, sizes);
      }
  });

  it("takes every element, from floats and from codes", async () => {
    for (const name of Object.keys(elements) as Name[])
      for (const left of [floats(name), codesOf(name)])
        for (const right of [floats(name), codesOf(name)]) {
          const kernel = mxGemm(`${name} ${left.source} ${right.source}`, left, right);
          for (const layout of ["plain", "transposed"] as const) {
            const { sizes, inputs, outputs } = problem(kernel, [23, 37, 150], layout, layout);
            await agree(kernel, inputs, outputs, sizes, [one]);
          }
        }
  });

  it("mixes elements, and float32 as it is with blocks", async () => {
    const pairs: [MxOperand, MxOperand][] = [
      [floats("int8"), codesOf("e2m3")], [floats("e2m3"), codesOf("int8")], [floats("e2m3"), codesOf("e2m1")],
      [{ source: "f32", element: null }, codesOf("e2m1")], [floats("e2m1"), { source: "codes", element: table }],
      [floats("e4m3"), { source: "f32", element: null }],
    ];
    for (const [a, b] of pairs) {
      const kernel = mxGemm("mixed", a, b);
      const { sizes, inputs, outputs } = problem(kernel, [23, 37, 150], "plain", "transposed");
      // Few bits: what is not quantised is not to need rounding by products, which the judge rounds twice.
      const given = { ...inputs, a: inputs.a.map((x, i) => (a.element ? x : i % 9)), b: inputs.b.map((x, i) => (b.element ? x : i % 7)) };
      await agree(kernel, given as Arrays, outputs, sizes);
    }
  }); // prettier-ignore

  it("rounds and scales by every rule", async () => {
    for (const name of ["e2m1", "int8", "e4m3"] as const)
      for (const rounding of ["nearest-even", "nearest-away", "floor"] as const)
        for (const scaleRule of ["floor", "ceil", "even"] as const) {
          const operand: MxOperand = { source: "f32", element: elements[name], rounding, scaleRule };
          const kernel = mxGemm(`${name} ${rounding} ${scaleRule}`, operand, operand);
          const { sizes, inputs, outputs } = problem(kernel, [9, 20, 70], "plain", "plain");
          await agree(kernel, inputs, outputs, sizes, [one]);
        }
  });

  it("takes blocks of 16 and 64, and scales that are no powers of two", async () => {
    for (const block of [16, 64] as const)
      for (const name of ["e2m1", "e2m3", "int8", "e5m2"] as const) {
        const scales = e8m0Values.map((value, i) => (i < 255 ? value * (1 + (i % 8) / 8) : value));
        const kernel = mxGemm(`${block}`, floats(name), { ...codesOf(name), scales } as MxOperand, block);
        const { sizes, inputs, outputs } = problem(kernel, [23, 37, 150], "plain", "transposed");
        await agree(kernel, inputs, outputs, sizes);
      }
  });

  it("gives the same bits by every micro-kernel, and without relaxed SIMD and threads", async () => {
    const options = [
      ...MX_VARIANTS.map(({ name }) => ({ threads: 2, mxMicroKernel: name })),
      { threads: 1, features: { relaxedSimd: false, revectorize: false } },
      { threads: 1, features: { shared: false } },
      { threads: 3 },
    ];
    const cases = [];
    for (const name of ["e2m1", "e2m3", "int8"] as const)
      for (const block of [16, 32, 64] as const)
        for (const layout of ["plain", "transposed"] as const) {
          const kernel = mxGemm(name, floats(name), codesOf(name), block);
          const { sizes, inputs, outputs } = problem(kernel, [17, 37, 134], layout, layout);
          cases.push([
            kernel,
            inputs,
            outputs,
            sizes,
            await agree(kernel, inputs, outputs, sizes, []),
          ] as const);
        }
    for (const each of options) {
      const backend = await createWasmBackend(each);
      for (const [kernel, inputs, outputs, sizes, expected] of cases)
        await agree(kernel, inputs, outputs, sizes, [backend], expected);
      await backend.close();
    }
  });

  it("sums extremes without overflow", async () => {
    for (const name of ["e2m1", "e2m3", "int8"] as const)
      for (const sign of [1, -1]) {
        const kernel = mxGemm(name, codesOf(name), floats(name), 64);
        const { sizes, inputs, outputs } = problem(kernel, [20, 40, 256], "plain", "plain");
        const top = 2 ** (elementBits(elements[name]) - 1) - 1;
        inputs.a.fill(top);
        inputs.b.fill(sign * 1e9);
        await agree(kernel, inputs, outputs, sizes);
      }
  });

  it("keeps extreme scales: subnormal products, overflow, zeros under the largest scale", async () => {
    for (const name of ["e2m1", "int8"] as const)
      for (const [low, high] of [[0, 0], [0, 254], [254, 254], [10, 130], [60, 60]]) {
        const kernel = mxGemm(name, codesOf(name), codesOf(name));
        const { sizes, inputs, outputs } = problem(kernel, [9, 20, 70], "plain", "plain");
        inputs.aScale.fill(low);
        inputs.bScale.fill(high);
        (inputs.a as Uint8Array).fill(0, 0, 70);
        const { c } = await agree(kernel, inputs, outputs, sizes);
        expect(c.slice(0, 20).every((value) => value === 0)).toBe(true);
      }
    const kernel = mxGemm("tiny and huge", floats("e2m1"), floats("int8"));
    const { sizes, inputs, outputs } = problem(kernel, [9, 20, 70], "plain", "plain");
    const tiny = { a: inputs.a.map((x) => x * 1e-42), b: inputs.b.map((x) => x * 1e38) };
    await agree(kernel, tiny as Arrays, outputs, sizes);
  }); // prettier-ignore

  it("gives NaN, and only there, for blocks with NaN, Inf or a NaN scale", async () => {
    for (const name of ["e2m1", "e2m3", "e4m3"] as const)
      for (const layout of ["plain", "transposed"] as const) {
        const kernel = mxGemm(name, floats(name), codesOf(name));
        const { sizes, inputs, outputs } = problem(kernel, [9, 40, 200], layout, layout);
        inputs.a[sizes.a.row * 3 + sizes.a.column * 70] = NaN;
        inputs.a[sizes.a.row * 5 + sizes.a.column * 199] = -Infinity;
        inputs.bScale[40 * 6 + 17] = 255;
        const { c } = await agree(kernel, inputs, outputs, sizes);
        c.forEach((value, i) => expect(Number.isNaN(value)).toBe([3, 5].includes(Math.floor(i / 40)) || i % 40 === 17));
      }
  }); // prettier-ignore

  it("adds to C when asked, block by block, and leaves it where K is 0", async () => {
    for (const name of ["e2m3", "e5m2"] as const) {
      const kernel = mxGemm(name, floats(name), floats(name));
      for (const shape of [[20, 37, 10], [13, 20, 1100], [60, 70, 100], [9, 20, 0]]) {
        const { sizes, inputs } = problem(kernel, shape, "plain", "transposed");
        const held = { c: reals(shape[0] * shape[1], 3) };
        await agree(kernel, inputs, held, { ...sizes, accumulate: true });
        await agree(kernel, inputs, held, sizes);
      }
    }
  }); // prettier-ignore

  it("walks batches by outer and inner strides, also those of scales", async () => {
    const [outer, inner, m, n, k] = [3, 4, 21, 19, 80];
    const kernel = mxGemm("batched", floats("e2m1"), codesOf("e2m1"));
    const sizes: MxGemmSizes = {
      outer, inner, m, n, k,
      a: { outer: m * inner * k, inner: k, row: inner * k, column: 1 },
      b: { outer: 0, inner: n * k, row: 1, column: k, scaleInner: n * 3, scaleRow: 1, scaleColumn: 3 },
      c: { outer: m * inner * n, inner: n, row: inner * n },
    };
    const inputs = {
      a: reals(outer * inner * m * k, 1), b: codes("e2m1", inner * n * k), bScale: scaleCodes(inner * n * 3),
    };
    await agree(kernel, inputs, { c: new Float32Array(outer * inner * m * n) }, sizes);
  }); // prettier-ignore

  it("runs epilogues after the last block of K", async () => {
    const bias = mxGemm("bias", floats("e2m3"), codesOf("e2m3"), 32, { bias: perColumn("f32"), gain: perRow("f32") }, {},
      (p, s) => ({ c: output("f32", p.mul(s.gain).add(s.bias)) })); // prettier-ignore
    const narrow = mxGemm("narrow", floats("e4m3"), codesOf("e2m3"), 32, { x: element("f32") }, {}, (p, s) => ({
      c: output("i32", p.add(s.x).toI32()),
      sign: output("u8", p.lt(0).toU32()),
    }));
    for (const shape of [[5, 9, 4], [64, 64, 64], [7, 300, 520]]) {
      const [m, n] = shape;
      const first = problem(bias, shape, "plain", "transposed");
      await agree(bias, { ...first.inputs, bias: reals(n, 3), gain: reals(m, 4) }, first.outputs, first.sizes);
      const second = problem(narrow, shape, "plain", "transposed");
      const outputs = { c: new Float32Array(m * n), sign: new Uint8Array(m * n) };
      await agree(narrow, { ...second.inputs, x: reals(m * n, 3) }, outputs, second.sizes);
    }
  }); // prettier-ignore

  it("says what a call lacks", () => {
    const kernel = mxGemm("short", floats("e2m1"), codesOf("e2m1"));
    const { sizes } = problem(kernel, [4, 4, 64], "plain", "plain");
    const slice = (bytes: number) => ({ buffer: judge.allocate(bytes), offset: 0 });
    const inputs = { a: slice(4 * 64 * 4), b: slice(64 * 4), bScale: slice(7) };
    const call = { inputs, outputs: { c: slice(64) }, sizes };
    expect(() => judge.run(judge.compile(kernel), call)).toThrow(
      'kernel "short": input "bScale" has 7 bytes, needs 8',
    );
  });
});
