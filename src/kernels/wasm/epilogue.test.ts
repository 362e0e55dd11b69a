import { expect, it } from "vitest";
import { LoweredRun, plainTarget } from "../../../test/wasm/lowered-run.ts";
import { gemm } from "../gemm.ts";
import { index } from "../program.ts";
import { element, output, perColumn, perRow, scalar } from "../signature.ts";
import { Module } from "./assembler.ts";
import { defineEpilogue } from "./epilogue.ts";
import type { Lowering } from "./lowering.ts";
import type { GemmKernel } from "../gemm.ts";

/** The tile that the epilogue gets, as the gemm would call it. */
interface Tile {
  readonly p: number;
  readonly pStride: number;
  readonly element: number;
  readonly stride: number;
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

const FIRST_WORD = 20;

/** A module whose `run` is one call of the epilogue. */
const lowerTile =
  (tile: Tile): Lowering<GemmKernel> =>
  (kernel, target) => {
    const module = new Module(target);
    const epilogue = defineEpilogue(module, kernel, target);
    const numbers = [
      tile.p, tile.pStride, tile.element, tile.stride, tile.row, tile.column, tile.rows, tile.columns,
    ]; // prettier-ignore
    module.function(["i32", "i32", "i32", "i32"], [], "run", (code, _thread, _threads, words, scratch) => {
      code.get(words).get(words).i32(4 * FIRST_WORD).op("i32.add"); // prettier-ignore
      code.get(words).memory("i32.load").get(scratch);
      for (const number of numbers) code.i32(number);
      code.call(epilogue.callee);
    });
    return {
      module: module.encode(),
      constants: epilogue.constants,
      encode: (call, address, words) => epilogue.encode(call, address, words, FIRST_WORD),
      cost: () => 0,
    };
  };

const kernel = gemm(
  "everything",
  "f32",
  "f32",
  { x: element("f32"), bias: perColumn("f32"), gain: perRow("f32"), s: scalar("f32") },
  { a: "f32" },
  (p, { x, bias, gain, s, a }) => ({
    c: output("f32", p.mul(gain).add(bias).add(x.mul(a))),
    code: output("u8", p.mul(s).toI32().asU32().add(index("row").shl(4)).add(index("column"))),
  }),
);

it.each([1, 2, 3, 4, 7, 8, 16, 17, 31])("finishes a tile of %i columns", (columns) => {
  const [m, n, row, column, rows] = [9, 40, 3, 5, 4];
  const machine = new LoweredRun();
  const ramp = (length: number, step: number) => Float32Array.from({ length }, (_, i) => i * step - 8);
  const [x, bias, gain] = [ramp(m * n, 0.25), ramp(n, 2), ramp(m, 1)];
  const tile = ramp(rows * 48, 0.5);
  const inputs = {
    x: machine.place(x),
    bias: machine.place(bias),
    gain: machine.place(gain),
    s: machine.place(new Float32Array([2])),
  };
  const outputs = { c: machine.place(new Float32Array(m * n)), code: machine.place(new Uint8Array(m * n)) };
  const p = machine.place(tile);
  const place = {
    p: p.offset,
    pStride: 48 * 4,
    element: row * n + column,
    stride: n,
    row,
    column,
    rows,
    columns,
  };
  const sizes = { m, n, k: 1, a: { row: 1, column: 1 }, b: { row: 1, column: 1 }, c: { row: n } };
  machine.run(lowerTile(place), kernel, { inputs, outputs, sizes, uniforms: { a: 3 } }, 1, plainTarget);

  const [c, code] = [new Float32Array(m * n), new Uint8Array(m * n)];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = (row + i) * n + column + j;
      c[at] = tile[i * 48 + j] * gain[row + i] + bias[column + j] + x[at] * 3;
      code[at] = Math.trunc(tile[i * 48 + j] * 2) + (row + i) * 16 + column + j;
    }
  expect(new Float32Array(machine.bytes(outputs.c).buffer, 0, m * n)).toEqual(c);
  expect(machine.bytes(outputs.code).slice(0, m * n)).toEqual(code);
});

it("works on products that lie where the output does", () => {
  const relu = gemm("relu", "f32", "f32", {}, {}, (p) => ({ c: output("f32", p.max(0)) }));
  const machine = new LoweredRun();
  const c = machine.place(Float32Array.from({ length: 30 }, (_, i) => (i % 2 ? i : -i - 1)));
  const place = { p: c.offset, pStride: 40, element: 0, stride: 10, row: 0, column: 0, rows: 3, columns: 10 };
  const sizes = { m: 3, n: 10, k: 1, a: { row: 1, column: 1 }, b: { row: 1, column: 1 }, c: { row: 10 } };
  machine.run(lowerTile(place), relu, { inputs: {}, outputs: { c }, sizes }, 1, plainTarget);
  const result = new Float32Array(machine.bytes(c).buffer, 0, 30);
  expect([...result]).toEqual(Array.from({ length: 30 }, (_, i) => (i % 2 ? i : 0)));
});
