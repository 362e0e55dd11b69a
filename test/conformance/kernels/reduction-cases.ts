/** Kernels that reduce: `rows` with several stages, and `columns`. */
import type { MatrixSizes } from "../../../src/kernels/backend.ts";
import { columns } from "../../../src/kernels/columns.ts";
import { fma, index, lookup, select, stored } from "../../../src/kernels/program.ts";
import { rows, type RowsKernel } from "../../../src/kernels/rows.ts";
import {
  element,
  output,
  perBlock,
  perColumn,
  perRow,
  scalar,
  table,
} from "../../../src/kernels/signature.ts";
import { close, exact, type Case, type Tolerance } from "./case.ts";
import { elementsOf, SIZES, sizesText } from "./pointwise-cases.ts";
import { held, integers, normals } from "./seeded.ts";

const EPSILON = 2 ** -24;

/** Softmax, its row's sum kept as a logarithm. */
const softmax = rows("softmax", { x: element("f32") }, {}, (p) => {
  const top = p.reduce("top", "max", p.scope.x);
  const [e, sum] = p.storeAndReduce("y", output("f32", p.scope.x.sub(top).exp()), "sum", "sum");
  p.store({ y: output("f32", e.div(sum)) });
  p.perRow.logSum = output("f32", sum.log().add(top));
});

/** Softmax up to the diagonal: index axes within an outer block, and a mask before the reduction. */
const causal = rows("causal softmax", { x: element("f32") }, { scale: "f32" }, (p) => {
  const seen = index("column").le(index("row"));
  const score = select(seen, p.scope.x.mul(p.scope.scale), -1e30);
  const top = p.reduce("top", "max", score);
  const [e, sum] = p.storeAndReduce("y", output("f32", score.sub(top).exp()), "sum", "sum");
  p.store({ y: output("f32", e.div(sum)) });
});

/**
 * Layer norm: a store and a reduction in one pass, statistics a row, gain and bias a column,
 * a bf16 copy beside the result.
 */
const layerNorm = rows(
  "layer norm",
  { x: element("f32"), gain: perBlock("f32"), bias: perColumn("f32"), n: scalar("f32") },
  {},
  (p) => {
    const { x, gain, bias, n } = p.scope;
    const mean = p.reduce("sum", "sum", x).div(n);
    const [, square] = p.storeAndReduce("y", output("f32", x.sub(mean)), "ignored", "max");
    const variance = p.reduce("square", "sum", x.sub(mean).mul(x.sub(mean))).div(n);
    const inverse = variance.add(1e-5).sqrt().reciprocal();
    const y = fma(x.sub(mean).mul(inverse), gain, bias);
    p.store({ y: output("f32", y), half: output("bf16", y) });
    p.perRow.mean = output("f32", mean);
    p.perRow.inverse = output("f32", inverse);
    p.perRow.largest = output("bf16", square);
  },
);

/** Cross entropy with the target's column picked by a sum, and its probability by a table. */
const crossEntropy = rows(
  "cross entropy",
  { x: element("bf16"), target: perRow("i32"), weight: table("f32") },
  {},
  (p) => {
    const { x, target } = p.scope;
    const mine = index("column").eq(target.toU32());
    const { top, chosen } = p.reduceAll({
      top: { op: "max", value: x },
      chosen: { op: "sum", value: select(mine, x, 0) },
    });
    const sum = p.reduce("sum", "sum", x.sub(top).exp());
    p.perRow.loss = output(
      "f32",
      sum
        .log()
        .add(top)
        .sub(chosen)
        .mul(lookup("weight", "f32", target.and(3))),
    );
  },
);

/** Codes of a row, read back in a later stage and reduced. */
const quantise = rows("quantise rows", { x: element("f32") }, {}, (p) => {
  const top = p.reduce("top", "max", p.scope.x.abs());
  p.store({ code: output("u8", p.scope.x.mul(64).toI32().clamp(-127, 127).add(128).toU32()) });
  const code = stored("code", "u8");
  const { low, high, total } = p.reduceAll({
    low: { op: "min", value: code.toF32() },
    high: { op: "max", value: code.toF32() },
    total: { op: "sum", value: code.toF32() },
  });
  p.perRow.top = output("f32", top);
  p.perRow.span = output("u8", high.sub(low).toU32());
  p.perRow.total = output("i32", total.toI32());
});

function rowsCases(kernel: RowsKernel, tolerance: (sizes: MatrixSizes) => Case["tolerance"]): Case[] {
  const perRowOutputs = Object.entries(kernel.perRow);
  const elementOutputs = kernel.stages.flatMap((stage) => Object.entries(stage.store ?? {}));
  return SIZES.filter(({ columns: n }) => n > 0).map((sizes, i) => {
    const rowCount = sizes.rows * (sizes.outer ?? 1);
    const data: Record<string, ReturnType<typeof held>> = {
      x: held(kernel.inputs.x.storage, normals(elementsOf(sizes), i, 3)),
      gain: held("f32", normals(sizes.columns * (sizes.outer ?? 1), 51)),
      bias: held("f32", normals(sizes.columns, 52)),
      n: held("f32", [sizes.columns]),
      target: held("i32", integers(rowCount, 53, 0, sizes.columns - 1)),
      weight: held("f32", [1, 2, 0.5, 1.25]),
    };
    return {
      name: `${kernel.name} ${sizesText(sizes)}`,
      kernel,
      sizes,
      shift: i % 3,
      uniforms: { scale: 0.125 },
      inputs: Object.fromEntries(
        Object.entries(kernel.inputs).map(([name, { storage }]) => [name, { storage, data: data[name] }]),
      ),
      outputs: Object.fromEntries([
        ...elementOutputs.map(([name, { storage }]) => [name, { storage, length: elementsOf(sizes) }]),
        ...perRowOutputs.map(([name, { storage }]) => [name, { storage, length: rowCount }]),
      ]),
      tolerance: tolerance(sizes),
    };
  });
}

/** A sum of n terms, each of at most `size`, rounded after each addition. */
const sumError = (n: number, size: number): number => n * n * EPSILON * size;

/** Reductions of every kind over the rows, with row, column and scalar inputs, into several storages. */
const columnSums = columns(
  "column sums",
  {
    x: element("f32"), y: element("bf16"), r: perRow("f32"), c: perColumn("f32"), b: perBlock("f32"),
    s: scalar("f32"),
  }, // prettier-ignore
  { k: "f32" },
  ({ x, y, r, b }) => ({
    plain: { op: "sum", value: x },
    placed: { op: "max", value: index("row").toF32().sub(b) },
    product: { op: "sum", value: x.mul(y).mul(r) },
    top: { op: "max", value: x },
    low: { op: "min", value: y },
  }),
  ({ c, b, s, k }, { plain, placed, product, top, low }) => ({
    plain: output("f32", plain),
    scaled: output("f32", product.mul(c).add(s).mul(k)),
    top: output("f32", top),
    low: output("bf16", low),
    placed: output("f32", placed.add(b)),
  }),
);

/** Whole numbers, whose sums are exact in any order. */
const columnCounts = columns(
  "column counts",
  { x: element("u8") },
  {},
  ({ x }) => ({ sum: { op: "sum", value: x.toF32() }, odd: { op: "sum", value: x.and(1).toF32() } }),
  (_, { sum, odd }) => ({ sum: output("i32", sum.toI32()), odd: output("u16", odd.toU32()) }),
);

const COLUMN_SIZES: readonly MatrixSizes[] = [
  ...SIZES,
  { rows: 1000, columns: 3 },
  { rows: 257, columns: 260 },
  { rows: 0, columns: 5 },
  { outer: 3, rows: 0, columns: 5 },
  { outer: 9, rows: 16, columns: 700 },
];

function columnsCase(sizes: MatrixSizes, i: number): Case {
  const length = elementsOf(sizes);
  const x = held("f32", normals(length, i));
  const y = held("bf16", normals(length, i + 1));
  const { outer = 1, rows: height, columns: width } = sizes;
  const [r, c] = [held("f32", normals(height * outer, 61)), held("f32", normals(width, 62))];
  const out = { storage: "f32" as const, length: width * outer };
  const sums = { kind: "bound" as const, bound: () => sumError(sizes.rows, 5) };
  return {
    name: `column sums ${sizesText(sizes)}`,
    kernel: columnSums,
    sizes,
    shift: i % 2,
    uniforms: { k: 0.25 },
    inputs: {
      x: { storage: "f32", data: x },
      y: { storage: "bf16", data: y },
      r: { storage: "f32", data: r },
      c: { storage: "f32", data: c },
      b: { storage: "f32", data: held("f32", integers(width * outer, 63, -9, 9)) },
      s: { storage: "f32", data: held("f32", [3]) },
    },
    outputs: { plain: out, scaled: out, top: out, placed: out, low: { ...out, storage: "bf16" } },
    tolerance: {
      plain: sums,
      scaled: {
        kind: "bound",
        bound: (at) =>
          0.25 * ((sumError(sizes.rows, 40) + 1e-6 * sizes.rows * 40) * Math.abs(c[at % width]) + 1e-6),
      },
      placed: exact,
      top: exact,
      low: exact,
    },
  };
}

const countsCase = (sizes: MatrixSizes, i: number): Case => ({
  name: `column counts ${sizesText(sizes)}`,
  kernel: columnCounts,
  sizes,
  shift: i % 5,
  inputs: { x: { storage: "u8", data: held("u8", integers(elementsOf(sizes), i, 0, 255)) } },
  outputs: {
    sum: { storage: "i32", length: sizes.columns * (sizes.outer ?? 1) },
    odd: { storage: "u16", length: sizes.columns * (sizes.outer ?? 1) },
  },
  tolerance: exact,
});

/** Exponentials of numbers from 0 down, at most 2 ulp each; their sum; a quotient. */
const softmaxTolerance = ({ columns: n }: MatrixSizes): Tolerance => close(1e-30, (n + 40) * EPSILON);

/** Kernels of several stages, and column reductions. */
export const reductionCases: readonly Case[] = [
  ...rowsCases(softmax, (sizes) => ({ y: softmaxTolerance(sizes), logSum: close(1e-5, 1e-6) })),
  ...rowsCases(causal, softmaxTolerance),
  ...rowsCases(layerNorm, ({ columns: n }) => ({
    // Cancellation leaves n · ε of the largest entry (9 here) in the mean; the gain (3) and 1/σ multiply it.
    // A bf16 that falls on the other side of a half is one spacing off: 2⁻⁷.
    y: close((n + 16) * EPSILON * 9 * 3 * (n < 8 ? 40 : 2), 1e-5),
    half: close((n + 16) * EPSILON * 9 * 3 * (n < 8 ? 40 : 2), 2 ** -7 + 1e-5),
    mean: close(n * EPSILON * 12, 1e-6),
    inverse: close(1e-6, (n < 8 ? 400 : 40 + n) * EPSILON),
    largest: close((n + 4) * EPSILON * 9, 2 ** -7),
  })),
  ...rowsCases(crossEntropy, ({ columns: n }) => close((n + 60) * EPSILON * 12, 1e-6)),
  ...rowsCases(quantise, () => exact),
  ...COLUMN_SIZES.map(columnsCase),
  ...COLUMN_SIZES.map(countsCase),
];
