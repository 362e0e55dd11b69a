import { describe, expect, it } from "vitest";
import { expectAgreement, wholeNumbers } from "../../../test/wasm/agree.ts";
import { LoweredRun } from "../../../test/wasm/lowered-run.ts";
import { index, lookup, stored, Table, u32 } from "../program.ts";
import { rows } from "../rows.ts";
import { element, output, perColumn, perRow, scalar } from "../signature.ts";
import { lowerRows } from "./rows.ts";

/** Whole numbers all through, so that sums do not depend on their order. */
const kernel = rows(
  "stages",
  { x: element("f32"), g: perColumn("f32"), r: perRow("f32"), s: scalar("i8") },
  { a: "f32" },
  (p) => {
    const { x, g, r, s, a } = p.scope;
    const { top, low } = p.reduceAll({ top: { op: "max", value: x }, low: { op: "min", value: x.mul(g) } });
    const [kept, sum] = p.storeAndReduce("y", output("f16", x.sub(top)), "sum", "sum");
    p.store({ w: output("i8", x.toI32().mul(5)) });
    const odd = p.reduce("odd", "sum", stored("w", "i8").and(3).toF32().mul(a));
    p.store({ y: output("f16", kept.add(low)), z: output("f32", x.add(sum).add(index("row").toF32())) });
    p.perRow.total = output("f32", sum.add(odd).add(r));
    p.perRow.code = output("bf16", top.mul(s.toF32()));
    p.perRow.byte = output("u8", index("row").add(u32(250)));
  },
);

describe("rows", () => {
  it("runs stages over every width, on one thread and on two", async () => {
    for (let columns = 0; columns <= 40; columns++)
      for (const [outer, count] of [[1, 1], [2, 3]]) {
        const all = outer * count;
        for (const threads of [1, 2])
          await expectAgreement(lowerRows, kernel, {
            inputs: {
              x: wholeNumbers(all * columns, 3), g: wholeNumbers(columns, 4), r: wholeNumbers(all, 5),
              s: new Int8Array([-3]),
            },
            outputs: {
              y: ["f16", all * columns], w: ["i8", all * columns], z: ["f32", all * columns], total: ["f32", all], code: ["bf16", all],
              byte: ["u8", all],
            },
            uniforms: { a: 2 },
            sizes: { outer, rows: count, columns },
            threads,
          });
      }
  }); // prettier-ignore

  it("reduces without storing, in several chunks of rows", async () => {
    const squares = new Table(Float32Array.from({ length: 64 }, (_, i) => i * i));
    const norm = rows("norm", { x: element("f32"), c: element("u8") }, {}, (p) => {
      const sum = p.reduce("sum", "sum", p.scope.x.mul(p.scope.x).add(squares.at(p.scope.c)));
      p.perRow.norm = output("f32", sum);
    });
    for (const [count, columns] of [[300, 33], [3, 5000], [2000, 3]])
      await expectAgreement(lowerRows, norm, {
        inputs: {
          x: wholeNumbers(count * columns),
          c: Uint8Array.from({ length: count * columns }, (_, i) => i % 64),
        },
        outputs: { norm: ["f32", count] },
        sizes: { rows: count, columns },
        threads: 2,
      });
  }); // prettier-ignore

  it("works in place", async () => {
    const shift = rows("shift", { x: element("f32") }, {}, (p) => {
      const top = p.reduce("top", "max", p.scope.x);
      const [kept, sum] = p.storeAndReduce("x", output("f32", p.scope.x.sub(top)), "sum", "sum");
      p.store({ x: output("f32", kept.sub(sum)) });
    });
    await expectAgreement(lowerRows, shift, {
      inputs: { x: wholeNumbers(7 * 21) },
      outputs: { x: ["f32", 7 * 21] },
      sizes: { rows: 7, columns: 21 },
      threads: 2,
    });
  });

  it("picks an entry of each row by look-up", async () => {
    const pick = rows("pick", { x: element("f32"), t: { storage: "f32", access: "table" }, at: perRow("i32") }, {}, (p) => {
      const { x, at } = p.scope;
      const sum = p.reduce("sum", "sum", x);
      p.perRow.y = output("f32", sum.sub(lookup("t", "f32", at.add(index("row").mul(u32(5)).asI32()))));
    });
    const x = wholeNumbers(20);
    await expectAgreement(lowerRows, pick, {
      inputs: { x, t: x, at: new Int32Array([4, 0, 2, 1]) },
      outputs: { y: ["f32", 4] },
      sizes: { rows: 4, columns: 5 },
    });
  }); // prettier-ignore

  it("gives softmax rows that sum to one", () => {
    const softmax = rows("softmax", { x: element("f32") }, {}, (p) => {
      const top = p.reduce("top", "max", p.scope.x);
      const [e, sum] = p.storeAndReduce("y", output("f32", p.scope.x.sub(top).exp()), "sum", "sum");
      p.store({ y: output("f32", e.div(sum)) });
    });
    const machine = new LoweredRun();
    const x = machine.place(wholeNumbers(3 * 19).map((value) => value / 7));
    const y = machine.place(new Float32Array(3 * 19));
    machine.run(lowerRows, softmax, { inputs: { x }, outputs: { y }, sizes: { rows: 3, columns: 19 } });
    const result = new Float32Array(machine.bytes(y).buffer);
    const input = wholeNumbers(3 * 19).map((value) => value / 7);
    for (let r = 0; r < 3; r++) {
      const row = Array.from(input.subarray(r * 19, r * 19 + 19), Math.exp);
      const sum = row.reduce((a, b) => a + b);
      row.forEach((e, c) => expect(result[r * 19 + c] / (e / sum)).toBeCloseTo(1, 5));
    }
  });
});
