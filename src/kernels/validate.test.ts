import { describe, expect, it } from "vitest";

import type { Call } from "./backend.ts";
import { gather } from "./gather.ts";
import { gemm, type GemmSizes } from "./gemm.ts";
import { rows } from "./rows.ts";
import { element, output } from "./signature.ts";
import { checkCall, gemmExtent, sizeOf } from "./validate.ts";

const slice = (bytes: number, offset = 0) => ({ buffer: { bytes }, offset });

describe("elements", () => {
  it("of each access", () => {
    const sizes = { outer: 2, rows: 3, columns: 5 };
    expect(["element", "row", "column", "block", "scalar", "gathered"].map((a) => sizeOf(a as "element", sizes))).toEqual(
      [30, 6, 5, 10, 1, 5],
    ); // prettier-ignore
    expect(sizeOf("scalar", { rows: 0, columns: 5 })).toBe(0);
  });

  it("of strided batches reach to the last element and no further", () => {
    const strides = { outer: 100, inner: 10, row: 1, column: 4 };
    const sizes: GemmSizes = { outer: 2, inner: 3, m: 2, n: 1, k: 3, a: strides, b: strides, c: { row: 1 } };
    expect(gemmExtent(sizes, strides, 2, 3)).toBe(100 + 20 + 1 + 8 + 1);
    expect(gemmExtent(sizes, strides, 0, 3)).toBe(0);
  });
});

describe("gemm calls", () => {
  const kernel = gemm("g", "f32", "coded", { x: element("f32") }, {}, (p, { x }) => ({
    c: output("bf16", p.add(x)),
  }));
  const sizes = {
    m: 2,
    n: 3,
    k: 4,
    a: { row: 4, column: 1 },
    b: { row: 3, column: 1, scaleColumn: 1 },
    c: { row: 5 },
  };
  const call: Call = {
    inputs: { a: slice(32), b: slice(12), bTable: slice(1024), bScale: slice(12), x: slice(32) },
    outputs: { c: slice(16) },
    sizes,
  };
  const sized = (more: object): Call => ({ ...call, sizes: { ...sizes, ...more } });
  const without = (name: string): Call => ({
    ...call,
    inputs: Object.fromEntries(Object.entries(call.inputs).filter(([key]) => key !== name)),
  });

  it("pass when every slice is just large enough", () => {
    expect(() => checkCall(kernel, call)).not.toThrow();
  });

  it.each(["a", "b", "bTable", "bScale", "x"])("miss input %s", (name) => {
    expect(() => checkCall(kernel, without(name))).toThrow(`input "${name}" is missing`);
    const { buffer } = call.inputs[name];
    const small = { ...call, inputs: { ...call.inputs, [name]: slice(buffer.bytes - 1) } };
    expect(() => checkCall(kernel, small)).toThrow(`input "${name}" has ${buffer.bytes - 1} bytes`);
  });

  it("refuse what the sizes cannot mean", () => {
    expect(() => checkCall(kernel, sized({ k: undefined }))).toThrow('size "k" is missing');
    expect(() => checkCall(kernel, sized({ m: 1.5 }))).toThrow('size "m" is 1.5');
    expect(() => checkCall(kernel, sized({ a: undefined }))).toThrow('size "a" is missing');
    expect(() => checkCall(kernel, sized({ b: { row: -1, column: 1 } }))).toThrow('size "b.row" is -1');
    expect(() => checkCall(kernel, sized({ accumulate: true }))).toThrow("without an epilogue");
  });
});

describe("other calls", () => {
  it("ask for stored outputs and those of the row", () => {
    const kernel = rows("r", { x: element("f32") }, {}, (p) => {
      const [, sum] = p.storeAndReduce("y", output("bf16", p.scope.x), "sum", "sum");
      p.perRow.total = output("f32", sum);
    });
    const call: Call = { inputs: { x: slice(24) }, outputs: { y: slice(12), total: slice(8) }, sizes: { rows: 2, columns: 3 } };
    expect(() => checkCall(kernel, call)).not.toThrow();
    expect(() => checkCall(kernel, { ...call, outputs: { y: slice(12) } })).toThrow('output "total" is missing');
    expect(() => checkCall(kernel, { ...call, outputs: { y: slice(11), total: slice(8) } })).toThrow('"y" has 11 bytes');
  }); // prettier-ignore

  it("ask for a gather's index", () => {
    const kernel = gather("g", "accumulate", { x: element("f32") }, {}, ({ x }) => output("f32", x));
    const call: Call = {
      inputs: { x: slice(24) },
      outputs: { out: slice(12) },
      sizes: { rows: 2, columns: 3 },
    };
    expect(() => checkCall(kernel, call)).toThrow('input "index" is missing');
    expect(() => checkCall(kernel, { ...call, inputs: { ...call.inputs, index: slice(8) } })).not.toThrow();
  });
});
