/** Products of blocks to run on a backend and on the judge. */
import { expect } from "vitest";
import type { Backend, BufferSlice } from "../../src/kernels/backend.ts";
import { elementBits, type MxElement, type MxRounding } from "../../src/kernels/mx-element.ts";
import type { MxGemmKernel, MxGemmSizes, MxOperand } from "../../src/kernels/mx-gemm.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";

/** Inputs or outputs of a call, by name. */
export type Arrays = Readonly<Record<string, Float32Array | Uint8Array | Int32Array>>;

const small = (exponentBits: number, mantissaBits: number, bias: number): MxElement => ({
  kind: "float", exponentBits, mantissaBits, bias, specials: "none",
}); // prettier-ignore
/** Elements by name. */
export const elements = {
  e2m1: small(2, 1, 1),
  e2m3: small(2, 3, 1),
  e3m2: small(3, 2, 3),
  int8: { kind: "integer", bits: 8, fractionBits: 6 },
  int4: { kind: "integer", bits: 4, fractionBits: 2 },
  e4m3: { kind: "float", exponentBits: 4, mantissaBits: 3, bias: 7, specials: "nan" },
  e5m2: { kind: "float", exponentBits: 5, mantissaBits: 2, bias: 15, specials: "ieee" },
} as const satisfies Record<string, MxElement>;
/** Names of elements. */
export type Name = keyof typeof elements;

/** Any other element. */
export const table = {
  kind: "values",
  values: Float32Array.from({ length: 256 }, (_, i) => (i - 100) / 16),
} as const;

/** Floats quantised to an element while they are packed. */
export const floats = (name: Name, rounding?: MxRounding): MxOperand => ({
  source: "f32",
  element: elements[name],
  ...(rounding ? { rounding } : {}),
});
/** Codes of an element. */
export const codesOf = (name: Name): MxOperand => ({ source: "codes", element: elements[name] });

/** Values of every size, ties among them, some blocks of zeros. */
export const reals = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => {
    const wild = Math.sin(i * 1.7 + seed) * 2 ** (((i * 5) % 9) - 4);
    return i % 11 === 0 ? Math.round(wild * 4) / 8 : (i >> 6) % 13 === 5 ? 0 : wild;
  });
/** Every code that stands for a number. */
export const codes = (name: Name, length: number) => {
  const { [name]: of } = elements;
  const count = 2 ** elementBits(of);
  const special = (code: number) => of.kind === "float" && of.specials !== "none" && (code & 0x78) === 0x78;
  return Uint8Array.from({ length }, (_, i) => {
    const code = (i * 37 + (i >> 3) * 5) % count;
    return special(code) ? 1 : code;
  });
}; // prettier-ignore
/** Codes of E8M0 around 1. */
export const scaleCodes = (length: number, low = 120, span = 15) =>
  Uint8Array.from({ length }, (_, i) => low + ((i * 11 + (i >> 2)) % span));

/** One call on a backend, its outputs read. */
export async function results(
  backend: Backend,
  kernel: MxGemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: MxGemmSizes,
): Promise<Record<string, number[]>> {
  const place = (data: Arrays[string]): BufferSlice => {
    const buffer = backend.allocate(data.byteLength + 64);
    backend.write({ buffer, offset: 64 }, data);
    return { buffer, offset: 64 };
  };
  const placed = (arrays: Arrays) =>
    Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, place(data)]));
  const call = { inputs: placed(inputs), outputs: placed(outputs), sizes };
  backend.run(backend.compile(kernel), call);
  const read: Record<string, number[]> = {};
  for (const [name, slice] of Object.entries(call.outputs)) {
    const storage = kernel.outputs[name].storage;
    read[name] = [...(await backend.read(slice, storage, outputs[name].length))];
  }
  for (const { buffer } of [...Object.values(call.inputs), ...Object.values(call.outputs)]) backend.free(buffer);
  return read;
} // prettier-ignore

const judge = createReferenceBackend({ precision: "float32" });

/** Asserts the judge's bits, NaN for NaN; -0 is 0. */
export async function agree(
  kernel: MxGemmKernel,
  inputs: Arrays,
  outputs: Arrays,
  sizes: MxGemmSizes,
  backends: readonly Backend[],
  judged?: Readonly<Record<string, number[]>>,
): Promise<Readonly<Record<string, number[]>>> {
  const expected = judged ?? (await results(judge, kernel, inputs, outputs, sizes));
  for (const backend of backends) {
    const got = await results(backend, kernel, inputs, outputs, sizes);
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
export const layouts = {
  plain: (_: number, columns: number) => ({ row: columns, column: 1 }),
  transposed: (rows: number) => ({ row: 1, column: rows }),
  gaps: (_: number, columns: number) => ({ row: columns * 2 + 3, column: 2 }),
};
export type Layout = keyof typeof layouts;
const extent = (rows: number, columns: number, { row, column }: { row: number; column: number }) =>
  (rows - 1) * row + (columns - 1) * column + 1;

/** Sizes and inputs of a product; scales of A are [m][block], of B [block][n]. */
export function problem(kernel: MxGemmKernel, [m, n, k]: readonly number[], a: Layout, b: Layout) {
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
