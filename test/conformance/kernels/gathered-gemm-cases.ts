/** Matrix products with gathered operands: patches of a convolution, and offsets without any pattern. */
import { gemm, type GemmKernel, type GemmSizes } from "../../../src/kernels/gemm.ts";
import type { Case, Given } from "./case.ts";
import { held, integers, normals } from "./seeded.ts";

const a = gemm("gathered a", "gathered", "f32");
const b = gemm("gathered b", "f32", "gathered");
const both = gemm("gathered both", "gathered", "gathered");

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Columns in runs of so many adjacent elements. */
  readonly run: number;
}

const SHAPES: readonly Shape[] = [
  { m: 1, n: 4, k: 4, run: 4 },
  { m: 13, n: 20, k: 36, run: 4 },
  { m: 70, n: 68, k: 264, run: 4 },
  { m: 7, n: 9, k: 27, run: 1 },
  { m: 50, n: 35, k: 259, run: 1 },
  { m: 5, n: 3, k: 0, run: 1 },
  { m: 13, n: 27, k: 27, run: 9 },
  { m: 20, n: 18, k: 33, run: 3 },
  { m: 31, n: 45, k: 290, run: 5 },
  { m: 9, n: 20, k: 14, run: 2 },
  { m: 14, n: 36, k: 270, run: 12 },
];

/** Elements of a gathered operand's buffer. */
const HELD = 4096;

const i32 = (values: Iterable<number>): Given => ({ storage: "i32", data: held("i32", [...values]) });

/** Random offsets of rows, and of columns, in runs of adjacent ones. */
function gathered(name: "a" | "b", rows: number, columns: number, run: number): Record<string, Given> {
  const starts = integers(columns, 92, 0, HELD / 2 - 16);
  const column = Array.from(starts, (_, i) => starts[i - (i % run)] + (i % run));
  return {
    [name]: { storage: "f32", data: held("f32", normals(HELD, 91)) },
    [`${name}Rows`]: i32(integers(rows, 93, 0, HELD / 2)),
    [`${name}Columns`]: i32(column),
  };
}

function operandsOf(kernel: GemmKernel, { m, n, k, run }: Shape): Record<string, Given> {
  const plain = (name: "a" | "b", count: number): Record<string, Given> => ({
    [name]: { storage: "f32", data: held("f32", normals(Math.max(1, count), 94)) },
  });
  return {
    ...(kernel.a === "gathered" ? gathered("a", m, k, run) : plain("a", m * k)),
    ...(kernel.b === "gathered" ? gathered("b", k, n, run) : plain("b", k * n)),
  };
}

function sizesOf(kernel: GemmKernel, { m, n, k, run }: Shape): GemmSizes {
  const none = { row: 0, column: 0, run };
  return {
    m,
    n,
    k,
    a: kernel.a === "gathered" ? none : { row: k, column: 1 },
    b: kernel.b === "gathered" ? none : { row: n, column: 1 },
    c: { row: n },
  };
}

/** The error of k products and additions, in Σ|a·b|, which stays under 4 k: the mean of |a·b| is 0.64. */
function caseOf(kernel: GemmKernel, shape: Shape): Case {
  const { m, n, k, run } = shape;
  return {
    name: `${kernel.name} ${m}×${n}×${k}${run > 1 ? ` in runs of ${run}` : ""}`,
    kernel,
    sizes: sizesOf(kernel, shape),
    inputs: operandsOf(kernel, shape),
    outputs: { c: { storage: "f32", length: m * n } },
    tolerance: { kind: "bound", bound: () => (k + 4) * 2 ** -24 * 4 * k },
  };
}

export const gatheredGemmCases: readonly Case[] = [a, b, both].flatMap((kernel) =>
  SHAPES.map((shape) => caseOf(kernel, shape)),
);
