/** Rows moved and accumulated by index, indices repeated and out of order. */
import type { MatrixSizes } from "../../../src/kernels/backend.ts";
import { gather } from "../../../src/kernels/gather.ts";
import { index, lookup } from "../../../src/kernels/program.ts";
import {
  element,
  gathered,
  output,
  perColumn,
  perRow,
  scalar,
  table,
} from "../../../src/kernels/signature.ts";
import { exact, type Case } from "./case.ts";
import { held, integers, normals } from "./seeded.ts";

const SIZES: readonly MatrixSizes[] = [
  { rows: 1, columns: 1 },
  { rows: 9, columns: 1 },
  { rows: 4, columns: 3 },
  { rows: 5, columns: 7 },
  { rows: 3, columns: 17 },
  { rows: 6, columns: 65 },
  { rows: 2, columns: 129 },
  { rows: 0, columns: 4 },
  { rows: 200, columns: 260 },
];

const SOURCE_ROWS = 11;

const move = gather("move", "gather", { source: gathered("f32") }, {}, ({ source }) => output("f32", source));
const moveHalf = gather("move bf16", "gather", { source: gathered("bf16") }, {}, ({ source }) =>
  output("bf16", source),
);
/** An embedding of codes: a value table, a scale, a position's row added by columns, an index. */
const embed = gather(
  "embed codes",
  "gather",
  {
    source: gathered("u8"),
    values: table("f32"),
    scale: scalar("f32"),
    column: perColumn("f32"),
    row: perRow("i8"),
  },
  { k: "i32" },
  ({ source, scale, column, row, k }) =>
    output(
      "f32",
      lookup("values", "f32", source)
        .mul(scale)
        .add(column)
        .add(row.add(k).toF32())
        .add(index("column").toF32()),
    ),
);

const accumulate = gather("accumulate", "accumulate", { dy: element("f32") }, {}, ({ dy }) =>
  output("f32", dy),
);
const accumulateScaled = gather(
  "accumulate scaled",
  "accumulate",
  { dy: element("f32"), r: perRow("f32") },
  { k: "f32" },
  ({ dy, r, k }) => output("f32", dy.mul(r).mul(k)),
);

const indices = (count: number, seed: number) =>
  ({ storage: "i32", data: held("i32", integers(count, seed, 0, SOURCE_ROWS - 1)) }) as const;

function movingCases(sizes: MatrixSizes, i: number): Case[] {
  const { rows, columns } = sizes;
  const [length, sourceLength] = [rows * columns, SOURCE_ROWS * columns];
  const common = { sizes, shift: i % 3, tolerance: exact };
  const at = `${rows}×${columns}`;
  const index3 = indices(rows, i);
  return [
    {
      ...common,
      name: `move ${at}`,
      kernel: move,
      inputs: { source: { storage: "f32", data: held("f32", normals(sourceLength, i)) }, index: index3 },
      outputs: { out: { storage: "f32", length } },
    },
    {
      ...common,
      name: `move bf16 ${at}`,
      kernel: moveHalf,
      inputs: { source: { storage: "bf16", data: held("bf16", normals(sourceLength, i)) }, index: index3 },
      outputs: { out: { storage: "bf16", length } },
    },
    {
      // Sixteenths below 2¹⁵: every sum is exact.
      ...common,
      name: `embed codes ${at}`,
      kernel: embed,
      uniforms: { k: -3 },
      inputs: {
        source: { storage: "u8", data: held("u8", integers(sourceLength, i, 0, 255)) },
        values: { storage: "f32", data: held("f32", integers(256, 71, -99, 99)) },
        scale: { storage: "f32", data: held("f32", [0.25]) },
        column: {
          storage: "f32",
          data: held(
            "f32",
            integers(columns, 72, -99, 99).map((x) => x / 16),
          ),
        },
        row: { storage: "i8", data: held("i8", integers(rows, 73, -99, 99)) },
        index: index3,
      },
      outputs: { out: { storage: "f32", length } },
    },
  ];
}

/**
 * Adding into rows that already hold something; the sums follow the order of the rows, but for the judge's
 * rounding.
 */
function accumulateCases(sizes: MatrixSizes, i: number): Case[] {
  const { rows, columns } = sizes;
  const out = { storage: "f32", length: SOURCE_ROWS * columns } as const;
  const before = held("f32", integers(out.length, i + 5, -20, 20));
  const whole = held("f32", integers(rows * columns, i + 6, -1000, 1000));
  const dy = held("f32", normals(rows * columns, i + 7));
  const r = held("f32", normals(rows, i + 8));
  const index3 = indices(rows, i + 9);
  const at = `${rows}×${columns}`;
  return [
    {
      name: `accumulate ${at}`,
      kernel: accumulate,
      sizes,
      shift: i % 2,
      tolerance: exact,
      inputs: { dy: { storage: "f32", data: whole }, index: index3 },
      outputs: { out: { ...out, before } },
    },
    {
      name: `accumulate scaled ${at}`,
      kernel: accumulateScaled,
      sizes,
      uniforms: { k: 0.1 },
      inputs: { dy: { storage: "f32", data: dy }, r: { storage: "f32", data: r }, index: index3 },
      outputs: { out: { ...out, before } },
      // Terms below 2, on a start of at most 20.
      tolerance: { kind: "bound", bound: () => 2 ** -24 * (rows + 3) * (20 + 2 * rows) },
    },
  ];
}

/** Both modes over all sizes. */
export const gatherCases: readonly Case[] = SIZES.flatMap((sizes, i) => [
  ...movingCases(sizes, i),
  ...accumulateCases(sizes, i),
]);
