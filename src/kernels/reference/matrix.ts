/** The shapes over a [rows, columns] view: pointwise, columns, gather. */
import type { MatrixSizes } from "../backend.ts";
import type { ColumnsKernel } from "../columns.ts";
import type { GatherKernel } from "../gather.ts";
import type { PointwiseKernel } from "../pointwise.ts";
import { rounding, type Precision } from "./arithmetic.ts";
import { Binding, viewOf, Writer, type Runner } from "./binding.ts";
import type { Frame } from "./graph.ts";
import { outputSlice } from "../validate.ts";
import { Reductions } from "./reductions.ts";

/** Puts the frame at (row of an outer block, column). */
export function moveTo(frame: Frame, sizes: MatrixSizes, flatRow: number, column: number): void {
  frame.flatRow = flatRow;
  frame.row = flatRow % sizes.rows;
  frame.column = column;
  frame.block = Math.floor(flatRow / sizes.rows) * sizes.columns + column;
  frame.element = flatRow * sizes.columns + column;
}

/** out[r, c] = f(…), for every element. */
export function preparePointwise(kernel: PointwiseKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const writer = new Writer(binding, kernel.name, kernel.outputs);
  return (call) => {
    const sizes = call.sizes as MatrixSizes;
    binding.bind(call);
    writer.bind(call);
    for (let r = 0; r < sizes.rows * (sizes.outer ?? 1); r++)
      for (let c = 0; c < sizes.columns; c++) {
        moveTo(binding.frame, sizes, r, c);
        writer.write(binding.frame.element);
      }
  };
}

/** out[o, c] = g(reductions over the rows of column c in outer block o). */
export function prepareColumns(kernel: ColumnsKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const reductions = new Reductions(binding, kernel.name, kernel.reduce);
  const writer = new Writer(binding, kernel.name, kernel.outputs);
  return (call) => {
    const sizes = call.sizes as MatrixSizes;
    binding.bind(call);
    writer.bind(call);
    for (let place = 0; place < (sizes.outer ?? 1) * sizes.columns; place++) {
      const column = place % sizes.columns;
      const first = Math.floor(place / sizes.columns) * sizes.rows;
      reductions.start();
      for (let r = first; r < first + sizes.rows; r++) {
        moveTo(binding.frame, sizes, r, column);
        reductions.evaluate();
        reductions.take();
      }
      reductions.finish();
      moveTo(binding.frame, sizes, first, column);
      binding.frame.block = place;
      writer.write(place);
    }
  };
}

/** out[r, c] = value, or out[index[r], c] += value. */
export function prepareGather(kernel: GatherKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const accumulate = kernel.mode === "accumulate";
  const writer = accumulate ? null : new Writer(binding, kernel.name, { out: kernel.out });
  const graph = binding.graph([kernel.out.value]);
  const round = rounding(precision);
  return (call) => {
    const sizes = call.sizes as MatrixSizes;
    const { frame } = binding;
    const index = viewOf(call.inputs.index, "i32");
    const out = viewOf(outputSlice(call, "out"), kernel.out.storage);
    binding.bind(call);
    writer?.bind(call);
    for (let r = 0; r < sizes.rows; r++)
      for (let c = 0; c < sizes.columns; c++) {
        moveTo(frame, sizes, r, c);
        frame.gathered = index.load(r) * sizes.columns + c;
        if (writer) {
          writer.write(frame.element);
          continue;
        }
        if (!(frame.gathered >= 0 && frame.gathered < out.length))
          throw new RangeError(`logrung: kernel "${kernel.name}": row ${index.load(r)} lies outside "out"`);
        graph.evaluate();
        out.store(frame.gathered, round(out.load(frame.gathered) + graph.result(0)));
      }
  };
}
