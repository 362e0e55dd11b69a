import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, BufferSlice } from "../backend.ts";
import { e8m0Values, elementBits, type MxElement, type MxRounding } from "../mx-element.ts";
import { mxGemm, type MxGemmKernel, type MxGemmSizes, type MxOperand } from "../mx-gemm.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output, perColumn, perRow } from "../signature.ts";
import { createWasmBackend } from "./index.ts";
import { MX_VARIANTS } from "./mx-micro.ts";

type Arrays = Readonly<Record<string, Float32Array | Uint8Array>>;

const small = (exponentBits: number, mantissaBits: number, bias: number): MxElement => ({
  kind: "float", exponentBits, mantissaBits, bias, specials: "none",
}); // prettier-ignore
const elements = {
  e2m1: small(2, 1, 1),
  e2m3: small(2, 3, 1),
  e3m2: small(3, 2, 3),
  int8: { kind: "integer", bits: 8, fractionBits: 6 },
  int4: { kind: "integer", bits: 4, fractionBits: 2 },
  e4m3: { kind: "float", exponentBits: 4, mantissaBits: 3, bias: 7, specials: "nan" },
  e5m2: { kind: "float", exponentBits: 5, mantissaBits: 2, bias: 15, specials: "ieee" },
} as const satisfies Record<string, MxElement>;
type Name = keyof typeof elements;

/** Any other element. */
const table = {
  kind: "values",
  values: Float32Array.from({ length: 256 }, (_, i) => (i - 100) / 16),
} as const;

const floats = (name: Name, rounding?: MxRounding): MxOperand => ({
  source: "f32",
  element: elements[name],
  ...(rounding ? { rounding } : {}),
});
const codesOf = (name: Name): MxOperand => ({ source: "codes", element: elements[name] });

/** Values of every size, ties among them, some blocks of zeros. */
const reals = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => {
    const wild = Math.sin(i * 1.7 + seed) * 2 ** (((i * 5) % 9) - 4);
    return i % 11 === 0 ? Math.round(wild * 4) / 8 : (i >> 6) % 13 === 5 ? 0 : wild;
  });
/** Every code that stands for a number. */
const codes = (name: Name, length: number) => {
  const { [name]: of } = elements;
  const count = 2 ** elementBits(of);
  const special = (code: number) => of.kind === "float" && of.specials !== "none" && (code & 0x78) === 0x78;
  return Uint8Array.from({ length }, (_, i) => {
    const code = (i * 37 + (i >> 3) * 5) % count;
    return special(code) ? 1 : code;
  });
}; // prettier-ignore
const scaleCodes = (length: number, low = 120, span = 15) =>
  Uint8Array.from({ length }, (_, i) => low + ((i * 11 + (i >> 2)) % span));

async function run(
  backend: Backend,
  kernel: MxGemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: MxGemmSizes,
): Promise<Record<string, number[]>> {
  const place = (data: Float32Array | Uint8Array): BufferSlice => {
    const buffer = backend.allocate(data.byteLength + 64);
    backend.write({ buffer, offset: 64 }, data);
    return { buffer, offset: 64 };
  };
  const placed = (arrays: Arrays) =>
    Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, place(data)]));
  const call = { inputs: placed(inputs), outputs: placed(outputs), sizes };
  backend.run(backend.compile(kernel), call);
  const results: Record<string, number[]> = {};
  for (const [name, slice] of Object.entries(call.outputs)) {
    const storage = kernel.outputs[name].storage;
    results[name] = [...(await backend.read(slice, storage, outputs[name].length))];
  }
  for (const { buffer } of [...Object.values(call.inputs), ...Object.values(call.outputs)]) backend.free(buffer);
  return results;
} // prettier-ignore

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

/** The judge's bits, NaN for NaN; -0 is 0. */
async function agree(
  kernel: MxGemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: MxGemmSizes,
  backends: readonly Backend[] = [one, two],
  judged?: Readonly<Record<string, number[]>>,
): Promise<Readonly<Record<string, number[]>>> {
  const expected = judged ?? (await run(judge, kernel, inputs, outputs, sizes));
  for (const backend of backends) {
    const got = await run(backend, kernel, inputs, outputs, sizes);
    for (const name of Object.keys(expected)) {
      const same = (x: number, y: number) => x === y || (Number.isNaN(x) && Number.isNaN(y));
      const at = got[name].findIndex((value, i) => !same(value, expected[name][i]));
      const where = `${kernel.name} ${JSON.stringify(sizes)} ${name}[${at}]`;
      expect(at, `${where} is ${got[name][at]}, wants ${expected[name][at]}`).toBe(-1);
    }
  }
  return expected;
}

/** Strides of a rows × columns operand, stored plain, transposed, or with gaps everywhere. */
const layouts = {
  plain: (_: number, columns: number) => ({ row: columns, column: 1 }),
  transposed: (rows: number) => ({ row: 1, column: rows }),
  gaps: (_: number, columns: number) => ({ row: columns * 2 + 3, column: 2 }),
};
type Layout = keyof typeof layouts;
const extent = (rows: number, columns: number, { row, column }: { row: number; column: number }) =>
  (rows - 1) * row + (columns - 1) * column + 1;

/** Sizes and inputs of a product; scales of A are [m][block], of B [block][n]. */
function problem(kernel: MxGemmKernel, [m, n, k]: readonly number[], a: Layout, b: Layout) {
  const blocks = Math.ceil(k / kernel.block);
  const sizes: MxGemmSizes = {
    m, n, k,
    a: { ...layouts[a](m, k), scaleRow: blocks, scaleColumn: 1 },
    b: { ...layouts[b](k, n), scaleRow: n, scaleColumn: 1 },
    c: { row: n },
  };
  const content = (operand: MxOperand, length: number, seed: number) =>
    operand.source === "f32" ? reals(length, seed) : codes(nameOf(operand), length);
  const inputs: Record<string, Float32Array | Uint8Array> = {
    a: content(kernel.a, extent(m, k, sizes.a), 1),
    b: content(kernel.b, extent(k, n, sizes.b), 2),
  };
  if (kernel.a.source === "codes") inputs.aScale = scaleCodes(m * blocks);
  if (kernel.b.source === "codes") inputs.bScale = scaleCodes(blocks * n, 118);
  return { sizes, inputs, outputs: { c: new Float32Array(m * n) } };
} // prettier-ignore

const nameOf = (operand: MxOperand): Name => {
  const found = Object.entries(elements).find(([, of]) => of === operand.element);
  return (found?.[0] ?? "e2m1") as Name;
};

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
