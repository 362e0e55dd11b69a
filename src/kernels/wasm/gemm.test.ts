import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, BufferSlice } from "../backend.ts";
import { gemm, type GemmKernel, type GemmOperand, type GemmSizes } from "../gemm.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output, perColumn, perRow } from "../signature.ts";
import { createWasmBackend } from "./index.ts";

type Arrays = Readonly<Record<string, Float32Array | Uint8Array>>;

/** Small integers: every order of summation gives the exact result. */
const integers = (length: number, step: number) =>
  Float32Array.from({ length }, (_, i) => ((i * step) % 17) - 8);
const codes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 37 + (i >> 3)) % 256);
const table = Float32Array.from({ length: 256 }, (_, i) => (i % 2 ? -1 : 1) * ((i >> 1) % 9));

async function run(
  backend: Backend,
  kernel: GemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: GemmSizes,
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
  for (const { buffer } of [...Object.values(call.inputs), ...Object.values(call.outputs)])
    backend.free(buffer);
  return results;
}

const plain = (a: GemmOperand, b: GemmOperand) => gemm(`${a} ${b}`, a, b);
const kernels = {
  f32: { f32: plain("f32", "f32"), coded: plain("f32", "coded") },
  coded: { f32: plain("coded", "f32"), coded: plain("coded", "coded") },
};

let one: Backend;
let two: Backend;
const judge = createReferenceBackend();

beforeAll(async () => {
  one = await createWasmBackend({ threads: 1 });
  two = await createWasmBackend({ threads: 2 });
});
afterAll(async () => {
  await one.close();
  await two.close();
});

/** Runs on the judge, on one thread and on two, and wants equality to the last bit. */
async function agree(kernel: GemmKernel, inputs: Arrays, outputs: Arrays, sizes: GemmSizes): Promise<void> {
  const expected = await run(judge, kernel, inputs, outputs, sizes);
  for (const backend of [one, two]) {
    const got = await run(backend, kernel, inputs, outputs, sizes);
    for (const name of Object.keys(expected)) {
      const at = got[name].findIndex((value, i) => !(value === expected[name][i]));
      const where = `${kernel.name} ${JSON.stringify(sizes)} ${name}[${at}]`;
      expect(at, `${where} is ${got[name][at]}, wants ${expected[name][at]}`).toBe(-1);
    }
  }
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

function matrices(m: number, n: number, k: number, a: Layout, b: Layout) {
  const sizes: GemmSizes = { m, n, k, a: layouts[a](m, k), b: layouts[b](k, n), c: { row: n } };
  return { sizes, aLength: extent(m, k, sizes.a), bLength: extent(k, n, sizes.b) };
}

const SHAPES = [
  [1, 1, 1], [1, 40, 7], [7, 1, 300], [5, 17, 3], [6, 16, 256], [13, 33, 257], [70, 90, 61], [200, 530, 40],
  [3, 600, 513], [129, 31, 600], [128, 128, 128],
] as const; // prettier-ignore

describe("gemm in wasm", () => {
  it.each(["plain", "transposed", "gaps"] as const)("multiplies any sizes, A %s", async (a) => {
    for (const b of ["plain", "transposed", "gaps"] as const)
      for (const [m, n, k] of SHAPES) {
        const { sizes, aLength, bLength } = matrices(m, n, k, a, b);
        const inputs = { a: integers(aLength, 7), b: integers(bLength, 5) };
        await agree(kernels.f32.f32, inputs, { c: new Float32Array(m * n) }, sizes);
      }
  });

  it("adds to C when asked, whatever the number of blocks of K", async () => {
    for (const [m, n, k] of [[20, 37, 10], [64, 64, 700], [150, 300, 520]]) {
      const { sizes, aLength, bLength } = matrices(m, n, k, "plain", "plain");
      const inputs = { a: integers(aLength, 7), b: integers(bLength, 5) };
      const call = { ...sizes, accumulate: true };
      await agree(kernels.f32.f32, inputs, { c: integers(m * n, 3) }, call);
    }
  }); // prettier-ignore

  it("gives 0, or what C held, when K is 0", async () => {
    const sizes: GemmSizes = { m: 9, n: 20, k: 0, a: { row: 1, column: 1 }, b: { row: 20, column: 1 }, c: { row: 20 } };
    const inputs = { a: new Float32Array(1), b: new Float32Array(1) };
    await agree(kernels.f32.f32, inputs, { c: integers(180, 3) }, sizes);
    await agree(kernels.f32.f32, inputs, { c: integers(180, 3) }, { ...sizes, accumulate: true });
  }); // prettier-ignore

  it("walks batches by outer and inner strides, also shared operands", async () => {
    const [outer, inner] = [3, 4];
    for (const [m, n, k] of [[10, 21, 9], [130, 128, 32], [64, 70, 300]]) {
      // Rows of A interleave the inner batches, as heads of attention do; B is the same for all outer batches.
      const sizes: GemmSizes = {
        outer, inner, m, n, k,
        a: { outer: m * inner * k, inner: k, row: inner * k, column: 1 },
        b: { outer: 0, inner: n * k, row: 1, column: k },
        c: { outer: m * inner * n, inner: n, row: inner * n },
      };
      const inputs = { a: integers(outer * inner * m * k, 7), b: integers(inner * n * k, 5) };
      await agree(kernels.f32.f32, inputs, { c: new Float32Array(outer * inner * m * n) }, sizes);
    }
  }); // prettier-ignore

  it("decodes either operand, or both, in every layout", async () => {
    for (const [m, n, k] of [[7, 9, 5], [70, 90, 300], [140, 300, 520]])
      for (const a of ["plain", "transposed"] as const)
        for (const b of ["plain", "transposed"] as const) {
          const { sizes, aLength, bLength } = matrices(m, n, k, a, b);
          const side = { aTable: table, bTable: table.toReversed(), aScale: new Float32Array([0.5]), bScale: new Float32Array([4]) };
          const outputs = { c: new Float32Array(m * n) };
          const all = { a: integers(aLength, 7), b: integers(bLength, 5), ...side };
          await agree(kernels.coded.f32, { ...all, a: codes(aLength) }, outputs, sizes);
          await agree(kernels.f32.coded, { ...all, b: codes(bLength) }, outputs, sizes);
          await agree(kernels.coded.coded, { ...all, a: codes(aLength), b: codes(bLength) }, outputs, sizes);
        }
  }); // prettier-ignore

  it("applies scales along rows, columns and both", async () => {
    const scales = Float32Array.from({ length: 600 * 300 }, (_, i) => 2 ** ((i * 7) % 5));
    for (const [m, n, k] of [[7, 9, 5], [70, 90, 300], [140, 300, 520]])
      for (const [scaleRow, scaleColumn] of [[1, 0], [0, 1], [2, 3]]) {
        const { sizes, aLength, bLength } = matrices(m, n, k, "plain", "plain");
        const scaled = {
          ...sizes,
          a: { ...sizes.a, scaleRow, scaleColumn },
          b: { ...sizes.b, scaleRow: scaleColumn, scaleColumn: scaleRow },
        };
        const inputs = { a: codes(aLength), b: codes(bLength), aTable: table, bTable: table, aScale: scales, bScale: scales };
        await agree(kernels.coded.coded, inputs, { c: new Float32Array(m * n) }, scaled);
      }
  }); // prettier-ignore

  it("gives the same bits on one thread, on two, and by every fused micro-kernel", async () => {
    const real = (length: number, seed: number) =>
      Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + seed) * 2 ** ((i * 5) % 7));
    for (const [m, n, k] of [[64, 64, 64], [300, 200, 700], [20, 400, 300], [500, 30, 513]]) {
      const { sizes, aLength, bLength } = matrices(m, n, k, "plain", "transposed");
      const inputs = { a: real(aLength, 1), b: real(bLength, 2) };
      const outputs = { c: new Float32Array(m * n) };
      const first = await run(one, kernels.f32.f32, inputs, outputs, sizes);
      expect(await run(two, kernels.f32.f32, inputs, outputs, sizes)).toEqual(first);
      for (const variant of ["6x16 fma", "6x8 fma", "3x12 fma"] as const) {
        const backend = await createWasmBackend({ threads: 2, microKernel: variant });
        if (backend.info.relaxedSimd)
          expect(await run(backend, kernels.f32.f32, inputs, outputs, sizes)).toEqual(first);
        await backend.close();
      }
    }
  }); // prettier-ignore

  it("computes without relaxed SIMD and without shared memory", async () => {
    const { sizes, aLength, bLength } = matrices(70, 90, 300, "plain", "transposed");
    const inputs = { a: integers(aLength, 7), b: integers(bLength, 5) };
    const outputs = { c: new Float32Array(70 * 90) };
    const expected = await run(judge, kernels.f32.f32, inputs, outputs, sizes);
    const features = { relaxedSimd: false, shared: false };
    const backend = await createWasmBackend({ threads: 2, features });
    expect(backend.info).toMatchObject({ threads: 1, microKernel: "5x8", sharedMemory: false });
    expect(await run(backend, kernels.f32.f32, inputs, outputs, sizes)).toEqual(expected);
    await backend.close();
  });
});

describe("gemm epilogues in wasm", () => {
  const bias = gemm("bias", "f32", "f32", { bias: perColumn("f32"), gain: perRow("f32") }, {}, (p, s) => ({
    c: output("f32", p.mul(s.gain).add(s.bias)),
  }));
  const residual = gemm("residual", "f32", "f32", { c: element("f32") }, {}, (p, s) => ({
    c: output("f32", p.add(s.c)),
  }));
  const narrow = gemm("narrow", "f32", "f32", { x: element("f32") }, {}, (p, s) => ({
    c: output("i32", p.add(s.x).toI32()),
    sign: output("u8", p.lt(0).toU32()),
  }));

  it("run after the last block of K, over every tile", async () => {
    for (const [m, n, k] of [[5, 9, 4], [64, 64, 64], [200, 300, 520], [20, 700, 300]]) {
      const { sizes, aLength, bLength } = matrices(m, n, k, "plain", "transposed");
      const c = new Float32Array(m * n);
      const ab = { a: integers(aLength, 7), b: integers(bLength, 5) };
      await agree(bias, { ...ab, bias: integers(n, 3), gain: integers(m, 11) }, { c }, sizes);
      await agree(narrow, { ...ab, x: integers(m * n, 3) }, { c, sign: new Uint8Array(m * n) }, sizes);
    }
  }); // prettier-ignore

  it("may read what C held before", async () => {
    const { sizes, aLength, bLength } = matrices(70, 90, 300, "plain", "plain");
    const data = { a: integers(aLength, 7), b: integers(bLength, 5) };
    const held = integers(70 * 90, 3);
    const expected = await run(
      judge,
      residual,
      { ...data, c: held },
      { c: new Float32Array(70 * 90) },
      sizes,
    );
    for (const backend of [one, two]) {
      const slices = Object.fromEntries(
        Object.entries({ ...data, c: held }).map(([name, array]) => {
          const buffer = backend.allocate(array.byteLength);
          backend.write({ buffer, offset: 0 }, array);
          return [name, { buffer, offset: 0 }];
        }),
      );
      backend.run(backend.compile(residual), { inputs: slices, outputs: {}, sizes });
      expect([...(await backend.read(slices.c, "f32", held.length))]).toEqual(expected.c);
    }
  });

  it("find their place in batches", async () => {
    const sizes: GemmSizes = {
      outer: 2, inner: 3, m: 20, n: 40, k: 8,
      a: { outer: 480, inner: 8, row: 24, column: 1 },
      b: { outer: 320, row: 40, column: 1 },
      c: { outer: 2400, inner: 40, row: 120 },
    };
    const inputs = { a: integers(960, 7), b: integers(640, 5), x: integers(4800, 3) };
    const outputs = { c: new Float32Array(4800), sign: new Uint8Array(4800) };
    await agree(narrow, inputs, outputs, sizes);
  }); // prettier-ignore
});
