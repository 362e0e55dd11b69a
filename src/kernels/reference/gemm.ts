/** The `gemm` shape: three loops over unpacked operands. */
import type { Call } from "../backend.ts";
import type { GemmKernel, GemmOperand, GemmSizes, GemmStrides } from "../gemm.ts";
import { outputSlice } from "../validate.ts";
import { binaryFunction, fusedMultiplyAdd, type Binary, type Precision } from "./arithmetic.ts";
import { Binding, viewOf, Writer, type Runner } from "./binding.ts";

/** Sums over k ascending; the epilogue once an element of C, batch by batch. */
export function prepareGemm(kernel: GemmKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const writer = new Writer(binding, kernel.name, kernel.outputs);
  const arithmetic = {
    multiply: binaryFunction("mul", "f32", precision),
    add: binaryFunction("add", "f32", precision),
    fma: fusedMultiplyAdd(precision),
  };
  return (call) => {
    const sizes = call.sizes as GemmSizes;
    binding.bind(call);
    writer.bind(call);
    for (let o = 0; o < (sizes.outer ?? 1); o++)
      for (let i = 0; i < (sizes.inner ?? 1); i++) runBatch(kernel, call, o, i, binding, writer, arithmetic);
  };
}

interface Arithmetic {
  readonly multiply: Binary;
  readonly add: Binary;
  readonly fma: (a: number, b: number, c: number) => number;
}

function runBatch(
  kernel: GemmKernel,
  call: Call,
  o: number,
  i: number,
  { frame }: Binding,
  writer: Writer,
  { multiply, add, fma }: Arithmetic,
): void {
  const sizes = call.sizes as GemmSizes;
  const { m, n, k, c } = sizes;
  const a = unpack("a", kernel.a, call, sizes.a, o, i, m, k, multiply);
  const b = unpack("b", kernel.b, call, sizes.b, o, i, k, n, multiply);
  const held = sizes.accumulate ? viewOf(outputSlice(call, "c"), "f32") : null;
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum = fma(a[row * k + j], b[j * n + column], sum);
      frame.element = o * (c.outer ?? 0) + i * (c.inner ?? 0) + row * c.row + column;
      frame.row = frame.flatRow = row;
      frame.column = column;
      frame.product = held ? add(held.load(frame.element), sum) : sum;
      writer.write(frame.element);
    }
}

/** One batch of an operand as rows × columns doubles. */
function unpack(
  name: "a" | "b",
  kind: GemmOperand,
  call: Call,
  strides: GemmStrides,
  o: number,
  i: number,
  rows: number,
  columns: number,
  multiply: Binary,
): Float64Array {
  const load = loaders[kind](name, call, strides, multiply);
  const start = o * (strides.outer ?? 0) + i * (strides.inner ?? 0);
  const matrix = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      matrix[r * columns + c] = load(start + r * strides.row + c * strides.column, r, c);
  return matrix;
}

/** Reads the element at `at`, or of row r and column c from there. */
type Load = (at: number, r: number, c: number) => number;

const loaders = { f32: floats, coded: decoder, gathered: gatherer } as const satisfies Record<
  GemmOperand,
  (name: "a" | "b", call: Call, strides: GemmStrides, multiply: Binary) => Load
>;

function floats(name: "a" | "b", call: Call): Load {
  return viewOf(call.inputs[name], "f32").load;
}

function gatherer(name: "a" | "b", call: Call): Load {
  const values = viewOf(call.inputs[name], "f32");
  const rows = viewOf(call.inputs[`${name}Rows`], "i32");
  const columns = viewOf(call.inputs[`${name}Columns`], "i32");
  return (start, r, c) => values.load(start + rows.load(r) + columns.load(c));
}

function decoder(name: "a" | "b", call: Call, strides: GemmStrides, multiply: Binary): Load {
  const codes = viewOf(call.inputs[name], "u8");
  const values = viewOf(call.inputs[`${name}Table`], "f32");
  const scales = viewOf(call.inputs[`${name}Scale`], "f32");
  const { scaleRow = 0, scaleColumn = 0 } = strides;
  return (at, r, c) => multiply(values.load(codes.load(at)), scales.load(r * scaleRow + c * scaleColumn));
}
