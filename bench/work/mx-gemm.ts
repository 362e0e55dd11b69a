/** Products of MX blocks to time. */
import { format } from "../../src/formats/index.ts";
import type { Backend } from "../../src/kernels/backend.ts";
import { blockExponent, roundElement, type MxElement } from "../../src/kernels/mx-element.ts";
import { mxGemm, type MxGemmSizes, type MxOperand } from "../../src/kernels/mx-gemm.ts";
import { normals } from "../peers/protocol.ts";
import { filled, type Product } from "./gemm.ts";

/** The elements of the MX formats that are timed. */
export const mxFormats = { mxfp8: "fp8-e4m3", mxfp6: "fp6-e2m3", mxfp4: "fp4-e2m1" } as const;
export type MxName = keyof typeof mxFormats;

const BLOCK = 32;
/** E8M0 code of 2^-3: about what blocks of weights have. */
const SCALE_CODE = 124;

function elementOf(name: MxName): MxElement {
  const { coding } = format(mxFormats[name]);
  if (coding.kind !== "float") throw new TypeError(`logrung: ${mxFormats[name]} is no float`);
  return coding;
}

/** Codes without specials: finite numbers of either sign. */
const codesOf = (name: MxName, length: number): Uint8Array => {
  const { bits } = format(mxFormats[name]);
  const sign = 2 ** (bits - 1);
  return Uint8Array.from({ length }, (_, i) => {
    const mixed = Math.imul(i, 7919) >>> 5;
    return (mixed & 1 ? sign : 0) + ((mixed >>> 1) % (sign - 1));
  });
};

/**
 * A product of n × n matrices as a linear layer has it: A float32, quantised while it is packed, B stored as codes and
 * scales, its blocks along the rows of Bᵀ.
 *
 * @throws Error when one element of it, computed anew, is wrong: a fast kernel that errs is no kernel.
 */
export async function squareMxProduct(backend: Backend, n: number, name: MxName): Promise<Product> {
  const element = elementOf(name);
  const [a, b]: [MxOperand, MxOperand] = [
    { source: "f32", element },
    { source: "codes", element },
  ];
  const blocks = n / BLOCK;
  const [values, codes] = [normals(n, n * n), codesOf(name, n * n)];
  const sizes: MxGemmSizes = {
    m: n, n, k: n,
    a: { row: n, column: 1 },
    b: { row: 1, column: n, scaleRow: 1, scaleColumn: blocks },
    c: { row: n },
  }; // prettier-ignore
  const inputs = {
    a: filled(backend, values),
    b: filled(backend, codes),
    bScale: filled(backend, new Uint8Array(n * blocks).fill(SCALE_CODE)),
  };
  const call = { inputs, outputs: { c: filled(backend, new Float32Array(n * n)) }, sizes };
  const executable = backend.compile(mxGemm(name, a, b, BLOCK));
  const run = (): void => backend.run(executable, call);
  run();
  const c = await backend.read(call.outputs.c, "f32", n * n);
  check(name, c[3 * n + 5], values.subarray(3 * n, 4 * n), codes.subarray(5 * n, 6 * n));
  return { call, run };
}

/** @throws Error when an element of a product is not what its row and column give in float64. */
function check(name: MxName, got: number, row: Float32Array, codes: Uint8Array): void {
  const element = elementOf(name);
  const { decode } = format(mxFormats[name]);
  let sum = 0;
  let magnitude = 0;
  for (let from = 0; from < row.length; from += BLOCK) {
    const block = [...row.subarray(from, from + BLOCK)];
    const scale = 2 ** blockExponent(element, Math.max(...block.map(Math.abs)), "floor");
    for (const [i, x] of block.entries()) {
      const rounded = roundElement(element, x / scale, "nearest-even") * scale;
      const term = rounded * decode(codes[from + i]) * 2 ** (SCALE_CODE - 127);
      sum += term;
      magnitude += Math.abs(term);
    }
  }
  if (!(Math.abs(got - sum) <= 1e-5 * magnitude))
    throw new Error(`wrong ${name} product of ${row.length}: ${got}, wants ${sum}`);
}
