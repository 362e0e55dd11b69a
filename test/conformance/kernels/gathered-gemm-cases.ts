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
  readonly quads: boolean;
}

const SHAPES: readonly Shape[] = [
  { m: 1, n: 4, k: 4, quads: true },
  { m: 13, n: 20, k: 36, quads: true },
  { m: 70, n: 68, k: 264, quads: true },
  { m: 7, n: 9, k: 27, quads: false },
  { m: 50, n: 35, k: 259, quads: false },
  { m: 5, n: 3, k: 0, quads: false },
];

/** Elements of a gathered operand's buffer. */
const HELD = 4096;

const i32 = (values: Iterable<number>): Given => ({ storage: "i32", data: held("i32", [...values]) });

/** Random offsets of rows, and of columns, in adjacent fours where `quads`. */
function gathered(name: "a" | "b", rows: number, columns: number, quads: boolean): Record<string, Given> {
  const starts = integers(columns, 92, 0, HELD / 2 - 5);
  const column = Array.from(starts, (_, i) => (quads ? starts[i - (i % 4)] + (i % 4) : starts[i]));
  return {
    [name]: { storage: "f32", data: held("f32", normals(HELD, 91)) },
    [`${name}Rows`]: i32(integers(rows, 93, 0, HELD / 2)),
    [`${name}Columns`]: i32(column),
  };
}

function operandsOf(kernel: GemmKernel, { m, n, k, quads }: Shape): Record<string, Given> {
  const plain = (name: "a" | "b", count: number): Record<string, Given> => ({
    [name]: { storage: "f32", data: held("f32", normals(Math.max(1, count), 94)) },
  });
  return {
    ...(kernel.a === "gathered" ? gathered("a", m, k, quads) : plain("a", m * k)),
    ...(kernel.b === "gathered" ? gathered("b", k, n, quads) : plain("b", k * n)),
  };
}

function sizesOf(kernel: GemmKernel, { m, n, k, quads }: Shape): GemmSizes {
  const none = { row: 0, column: 0, quads };
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
  const { m, n, k, quads } = shape;
  return {
    name: `${kernel.name} ${m}×${n}×${k}${quads ? " in fours" : ""}`,
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
