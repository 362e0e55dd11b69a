/** Matrix products: transpositions, odd sizes, strides, batches, coded operands, epilogues, accumulation. */
import type { HostArray } from "../../../src/kernels/backend.ts";
import { gemm, type GemmKernel, type GemmSizes, type GemmStrides } from "../../../src/kernels/gemm.ts";
import { index, lookup, select } from "../../../src/kernels/program.ts";
import { element, output, perColumn, perRow, scalar, table } from "../../../src/kernels/signature.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { gemmExtent } from "../../../src/kernels/validate.ts";
import { answer, exact, type Case, type Given, type Tolerance } from "./case.ts";
import { held, integers, normals } from "./seeded.ts";

type Transposed = "n" | "t";
interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements between the end of a stored row and the next. */
  readonly gap?: number;
}

const EPSILON = 2 ** -24;

const SHAPES: readonly Shape[] = [
  { m: 1, n: 1, k: 1 },
  { m: 3, n: 5, k: 7 },
  { m: 4, n: 16, k: 8 },
  { m: 17, n: 33, k: 65, gap: 3 },
  { m: 1, n: 130, k: 64 },
  { m: 129, n: 1, k: 40 },
  { m: 65, n: 129, k: 31, gap: 1 },
  { m: 6, n: 7, k: 0 },
  { m: 0, n: 4, k: 4 },
  { m: 37, n: 50, k: 300 },
];
const TRANSPOSITIONS: readonly (readonly [Transposed, Transposed])[] = [
  ["n", "n"],
  ["n", "t"],
  ["t", "n"],
  ["t", "t"],
];

const plain = gemm("plain", "f32", "f32");
const codedA = gemm("coded a", "coded", "f32");
const codedB = gemm("coded b", "f32", "coded");
const codedBoth = gemm("coded both", "coded", "coded");

/** Bias, GELU, a residual, a table, a mask by index; the product kept as bf16, its sign as u8. */
const epilogue = gemm(
  "epilogue",
  "f32",
  "coded",
  {
    bias: perColumn("f32"),
    gain: perRow("f32"),
    residual: element("f32"),
    one: scalar("f32"),
    steps: table("f32"),
  },
  { k: "f32" },
  (p, { bias, gain, residual, one, k }) => {
    const x = p.add(bias);
    const gelu = x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(one));
    const step = lookup("steps", "f32", index("row").add(index("column")).and(3));
    return {
      c: output("f32", gelu.mul(gain).add(residual).add(step.mul(k))),
      half: output("bf16", p),
      corner: output("u8", select(index("row").eq(index("column")), gain.mul(0).toU32().add(200), 7)),
    };
  },
);

/** Strides of a rows × columns matrix stored row by row, or, transposed, column by column. */
function strides(order: Transposed, rows: number, columns: number, gap: number): GemmStrides {
  return order === "n" ? { row: columns + gap, column: 1 } : { row: 1, column: rows + gap };
}

function sizesOf({ m, n, k, gap = 0 }: Shape, [a, b]: readonly [Transposed, Transposed]): GemmSizes {
  return { m, n, k, a: strides(a, m, k, gap), b: strides(b, k, n, gap), c: { row: n + gap } };
}

/**
 * Codes stand for (code - 128) / 16, times a scale that grows along the operand's rows or columns where
 * asked.
 */
const TABLE = held(
  "f32",
  Array.from({ length: 256 }, (_, i) => (i - 128) / 16),
);
const scales = (length: number): HostArray =>
  held(
    "f32",
    Array.from({ length }, (_, i) => 0.03 * (1 + (i % 7))),
  );

function operand(name: "a" | "b", kernel: GemmKernel, sizes: GemmSizes, seed: number): Record<string, Given> {
  const [rows, columns] = name === "a" ? [sizes.m, sizes.k] : [sizes.k, sizes.n];
  const length = gemmExtent(sizes, sizes[name], rows, columns);
  if (kernel[name] === "f32") return { [name]: { storage: "f32", data: held("f32", normals(length, seed)) } };
  const { scaleRow = 0, scaleColumn = 0 } = sizes[name];
  const scaleCount = 1 + scaleRow * Math.max(rows - 1, 0) + scaleColumn * Math.max(columns - 1, 0);
  return {
    [name]: { storage: "u8", data: held("u8", integers(length, seed, 0, 255)) },
    [`${name}Table`]: { storage: "f32", data: TABLE },
    [`${name}Scale`]: { storage: "f32", data: scales(scaleCount) },
  };
}

const operandsOf = (kernel: GemmKernel, sizes: GemmSizes): Record<string, Given> => ({
  ...operand("a", kernel, sizes, 81),
  ...operand("b", kernel, sizes, 82),
});

/** Σₖ |a·b| an element, by the judge: what the error of a sum is measured against. */
async function magnitudes(
  kernel: GemmKernel,
  sizes: GemmSizes,
  inputs: Record<string, Given>,
): Promise<HostArray> {
  const sizeOnly = { c: sizes.c, a: sizes.a, b: sizes.b, m: sizes.m, n: sizes.n, k: sizes.k };
  const batches = { outer: sizes.outer ?? 1, inner: sizes.inner ?? 1 };
  const unsigned = Object.fromEntries(
    Object.entries(inputs).map(([name, { storage, data }]) => [
      name,
      { storage, data: storage === "f32" ? held("f32", Array.from(data, Math.abs)) : data },
    ]),
  );
  const length = gemmExtent(sizes, { ...sizes.c, column: 1 }, sizes.m, sizes.n);
  const { c } = await answer(createReferenceBackend(), {
    name: "magnitudes",
    kernel: gemm("magnitudes", kernel.a, kernel.b),
    sizes: { ...sizeOnly, ...batches },
    inputs: unsigned,
    outputs: { c: { storage: "f32", length } },
    tolerance: exact,
  });
  return c;
}

/** k additions and products, a decoded value's own rounding, and the accumulation. */
async function sumTolerance(
  kernel: GemmKernel,
  sizes: GemmSizes,
  inputs: Record<string, Given>,
): Promise<Tolerance> {
  const sums = await magnitudes(kernel, sizes, inputs);
  return { kind: "bound", bound: (at) => (sizes.k + 4) * EPSILON * (sums[at] + (sizes.accumulate ? 4 : 0)) };
}

async function productCase(name: string, kernel: GemmKernel, sizes: GemmSizes): Promise<Case> {
  const inputs = operandsOf(kernel, sizes);
  const length = gemmExtent(sizes, { ...sizes.c, column: 1 }, sizes.m, sizes.n);
  return {
    name: `${name} ${sizes.m}×${sizes.n}×${sizes.k}`,
    kernel,
    sizes,
    inputs,
    outputs: { c: { storage: "f32", length, before: held("f32", normals(length, 83)) } },
    tolerance: await sumTolerance(kernel, sizes, inputs),
  };
}

/** Heads side by side in a row, as attention keeps them: outer blocks of sequences, inner blocks of heads. */
function headSizes(time: number, width: number, heads: number, flip: boolean): GemmSizes {
  const row = heads * width;
  const rowMajor = { outer: time * row, inner: width, row, column: 1 };
  const batch = { outer: 2, inner: heads };
  if (!flip)
    return {
      ...batch,
      m: time,
      n: time,
      k: width,
      a: rowMajor,
      b: { ...rowMajor, row: 1, column: row },
      c: { outer: heads * time * time, inner: time * time, row: time },
    };
  return {
    ...batch,
    m: time,
    n: width,
    k: time,
    a: { outer: heads * time * time, inner: time * time, row: time, column: 1 },
    b: rowMajor,
    c: { outer: time * row, inner: width, row },
  };
}

const f32 = (count: number, seed: number): Given => ({
  storage: "f32",
  data: held("f32", normals(count, seed)),
});

async function epilogueCase(shape: Shape, order: readonly [Transposed, Transposed]): Promise<Case> {
  const base = sizesOf(shape, order);
  const sizes = { ...base, b: { ...base.b, scaleColumn: 1 } };
  const operands = operandsOf(epilogue, sizes);
  const sums = await magnitudes(epilogue, sizes, operands);
  const length = gemmExtent(sizes, { ...sizes.c, column: 1 }, sizes.m, sizes.n);
  const error = (at: number): number => (sizes.k + 6) * EPSILON * (sums[at] + 5);
  return {
    name: `epilogue ${order.join("")} ${sizes.m}×${sizes.n}×${sizes.k}`,
    kernel: epilogue,
    sizes,
    uniforms: { k: 0.75 },
    inputs: {
      ...operands,
      bias: f32(sizes.n, 84),
      gain: f32(sizes.m, 85),
      residual: f32(length, 86),
      one: { storage: "f32", data: held("f32", [1]) },
      steps: { storage: "f32", data: held("f32", [0, 1, 2, 3]) },
    },
    outputs: {
      half: { storage: "bf16", length },
      corner: { storage: "u8", length },
      c: { storage: "f32", length },
    },
    tolerance: {
      // A bf16 that falls on the other side of a half is one spacing off: 2⁻⁷. GELU is nowhere steeper than
      // 1.13 and erf's 2 ulp of 1 come on top; the gain stays below 4.
      c: { kind: "bound", bound: (at) => 4 * (1.13 * error(at) + 8 * EPSILON * (sums[at] + 5)) },
      half: { kind: "bound", bound: (at) => error(at) + 2 ** -7 * (sums[at] + 1e-30) },
      corner: exact,
    },
  };
}

/** All gemm cases; asynchronous, because the judge works out their bounds. */
export async function gemmCases(): Promise<Case[]> {
  const products = SHAPES.flatMap((shape) =>
    TRANSPOSITIONS.flatMap((order) => {
      const sizes = sizesOf(shape, order);
      const name = order.join("");
      const perRowScale = { ...sizes, a: { ...sizes.a, scaleRow: 1 }, b: { ...sizes.b, scaleRow: 1 } };
      const perColumnScale = {
        ...sizes,
        a: { ...sizes.a, scaleColumn: 1 },
        b: { ...sizes.b, scaleColumn: 1 },
      };
      return [
        productCase(`plain ${name}`, plain, sizes),
        productCase(`accumulate ${name}`, plain, { ...sizes, accumulate: true }),
        productCase(`coded a ${name}`, codedA, sizes),
        productCase(`coded b ${name}`, codedB, sizes),
        productCase(`coded b, scale a row, ${name}`, codedB, perRowScale),
        productCase(`coded b, scale a column, ${name}`, codedB, perColumnScale),
        productCase(`coded a, scale a row, ${name}`, codedA, perRowScale),
        productCase(`coded a, scale a column, ${name}`, codedA, perColumnScale),
        productCase(`coded both ${name}`, codedBoth, perColumnScale),
        epilogueCase(shape, order),
      ];
    }),
  );
  // Larger than a block in each direction, and worth two threads.
  const large = TRANSPOSITIONS.map((order) =>
    productCase(`large ${order.join("")}`, plain, sizesOf({ m: 130, n: 100, k: 530 }, order)),
  );
  const batches = [false, true].flatMap((flip) => [
    productCase(`scores of heads, flipped: ${flip}`, plain, headSizes(13, 8, 3, flip)),
    productCase(`scores of many heads, flipped: ${flip}`, plain, headSizes(70, 32, 4, flip)),
  ]);
  return Promise.all([...products, ...large, ...batches]);
}
