/** Matrix products to time. */
import { format } from "../../src/formats/index.ts";
import type { Backend, BufferSlice, HostArray } from "../../src/kernels/backend.ts";
import { decodeTable } from "../../src/kernels/codec.ts";
import { gemm, type GemmKernel, type GemmOperand, type GemmSizes } from "../../src/kernels/gemm.ts";
import { checkProduct, normals } from "../peers/protocol.ts";

/** A product ready to run. */
export interface Product {
  readonly call: { readonly outputs: { readonly c: BufferSlice } };
  run(): void;
}

/** Products without an epilogue, by the kind of B. */
export const kernels = { f32: gemm("f32", "f32", "f32"), coded: gemm("coded", "f32", "coded") };

/** The ladder of a coded operand: that of stored weights. */
const table = decodeTable(format("lns8-g16"));

/** Contents of operands. */
const codesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i, 7919) >>> 5);
const operand = (kind: GemmOperand, length: number, seed: number): Float32Array | Uint8Array =>
  kind === "f32" ? normals(seed, length) : codesOf(length);

/** A buffer with this content. */
export function filled(backend: Backend, data: HostArray): BufferSlice {
  const slice = { buffer: backend.allocate(data.byteLength), offset: 0 };
  backend.write(slice, data);
  return slice;
}

/** A product of dense operands; B's codes, if it has any, are of lns8-g16 with one scale. */
export function product(backend: Backend, kernel: GemmKernel, sizes: GemmSizes): Product {
  const { m, n, k, outer = 1, inner = 1 } = sizes;
  const batches = outer * inner;
  const inputs: Record<string, BufferSlice> = {
    a: filled(backend, operand(kernel.a, batches * m * k, k)),
    b: filled(backend, operand(kernel.b, batches * k * n, k + 1)),
  };
  if (kernel.b === "coded") {
    inputs.bTable = filled(backend, table);
    inputs.bScale = filled(backend, new Float32Array([1]));
  }
  if (kernel.inputs.bias) inputs.bias = filled(backend, normals(n, n));
  const call = { inputs, outputs: { c: filled(backend, new Float32Array(batches * m * n)) }, sizes };
  const executable = backend.compile(kernel);
  return { call, run: () => backend.run(executable, call) };
}

/**
 * A product of n × n matrices.
 *
 * @throws Error when one element of it, computed anew, is wrong: a fast kernel that errs is no kernel.
 */
export async function squareProduct(
  backend: Backend,
  n: number,
  kind: keyof typeof kernels = "f32",
): Promise<Product> {
  const rows = { row: n, column: 1 };
  const made = product(backend, kernels[kind], { m: n, n, k: n, a: rows, b: rows, c: { row: n } });
  made.run();
  const c = await backend.read(made.call.outputs.c, "f32", n * n);
  const b = kind === "f32" ? normals(n + 1, n * n) : Float32Array.from(codesOf(n * n), (code) => table[code]);
  checkProduct(n, normals(n, n * n), b, c[3 * n + 5]);
  return made;
}

/** GFLOP/s of a product of n × n matrices. */
export const gflops = (n: number, milliseconds: number): number => (2 * n ** 3) / milliseconds / 1e6;
