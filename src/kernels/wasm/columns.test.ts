import { describe, it } from "vitest";
import { expectAgreement, sequence, wholeNumbers } from "../../../test/wasm/agree.ts";
import { columns } from "../columns.ts";
import { index } from "../program.ts";
import { element, output, perColumn, perRow, scalar } from "../signature.ts";
import { lowerColumns } from "./columns.ts";

const kernel = columns(
  "all",
  { x: element("f32"), k: element("u8"), r: perRow("f32"), c: perColumn("f32"), s: scalar("f32") },
  { a: "f32" },
  ({ x, k, r, a }) => ({
    sum: { op: "sum", value: x.mul(r).add(a) },
    top: { op: "max", value: x.add(k.toF32()) },
    low: { op: "min", value: x.mul(index("row").toF32()).add(index("column").toF32()) },
  }),
  ({ c, s }, { sum, top, low }) => ({
    sum: output("f32", sum.add(c)),
    range: output("i32", top.sub(low).toI32()),
    scaled: output("bf16", sum.mul(s)),
  }),
);

describe("columns", () => {
  it("reduces every width, on one thread and on two", async () => {
    for (const width of [...Array(41).keys(), 130, 5000])
      for (const rows of width > 40 ? [3] : [1, 6])
        for (const threads of [1, 2])
          await expectAgreement(lowerColumns, kernel, {
            inputs: {
              x: wholeNumbers(rows * width, 3), r: wholeNumbers(rows, 4), c: wholeNumbers(width, 5),
              k: Uint8Array.from({ length: rows * width }, (_, i) => i * 31), s: wholeNumbers(1, 6),
            },
            outputs: { sum: ["f32", width], range: ["i32", width], scaled: ["bf16", width] },
            uniforms: { a: 0.5 },
            sizes: { rows, columns: width },
            threads,
          });
  }); // prettier-ignore

  it("adds rows in ascending order", async () => {
    const next = sequence(11);
    const sum = columns("sum", { x: element("f32") }, {}, ({ x }) => ({ s: { op: "sum", value: x } }), (_, { s }) => ({
      y: output("f32", s),
    }));
    for (const [rows, width] of [[1000, 37], [3000, 4]])
      await expectAgreement(lowerColumns, sum, {
        inputs: { x: Float32Array.from({ length: rows * width }, () => (next() - 0.5) * 2 ** (20 * next())) },
        outputs: { y: ["f32", width] },
        sizes: { rows, columns: width },
        threads: 2,
      });
  }); // prettier-ignore

  it("gives the identities for no rows", async () => {
    await expectAgreement(lowerColumns, kernel, {
      inputs: {
        x: new Float32Array(0), r: new Float32Array(0), c: wholeNumbers(9), k: new Uint8Array(0), s: wholeNumbers(1),
      },
      outputs: { sum: ["f32", 9], range: ["i32", 9], scaled: ["bf16", 9] },
      uniforms: { a: 0 },
      sizes: { rows: 0, columns: 9 },
    });
  }); // prettier-ignore
});
