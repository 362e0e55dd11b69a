/** The `mx-gemm` shape: operands quantised or decoded element by element, then block after block. */
import type { Call } from "../backend.ts";
import { blockExponent, decodeElement, e8m0Values, roundElement, unitBits } from "../mx-element.ts";
import { sumsIntegers, type MxGemmKernel, type MxGemmSizes } from "../mx-gemm.ts";
import { outputSlice } from "../validate.ts";
import { fusedMultiplyAdd, rounding, type Precision, type Unary } from "./arithmetic.ts";
import { Binding, viewOf, Writer, type Runner } from "./binding.ts";

/** K of the runs that sums of float32 values are made in, as in every backend's gemm. */
const FLOAT_RUN = 256;

/** One batch of an operand: elements in units of their finest step, [wide][k], and a factor a block. */
interface Decoded {
  readonly elements: Float64Array;
  readonly factors: Float64Array;
}

/** Block by block, k ascending; the epilogue once an element of C. */
export function prepareMxGemm(kernel: MxGemmKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const writer = new Writer(binding, kernel.name, kernel.outputs);
  const round = rounding(precision);
  const sum = sumsIntegers(kernel) ? integerSum(round) : floatSum(round, precision);
  return (call) => {
    const { m, n, k, c, outer = 1, inner = 1, accumulate } = call.sizes as MxGemmSizes;
    const { frame } = binding;
    binding.bind(call);
    writer.bind(call);
    const held = accumulate ? viewOf(outputSlice(call, "c"), "f32") : null;
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const a = decode("a", kernel, call, o, i, round);
        const b = decode("b", kernel, call, o, i, round);
        for (let row = 0; row < m; row++)
          for (let column = 0; column < n; column++) {
            frame.element = o * (c.outer ?? 0) + i * (c.inner ?? 0) + row * c.row + column;
            frame.row = frame.flatRow = row;
            frame.column = column;
            frame.product = sum(a, b, row, column, k, kernel.block, held?.load(frame.element) ?? 0);
            writer.write(frame.element);
          }
      }
  };
}

type Sum = (
  a: Decoded,
  b: Decoded,
  row: number,
  column: number,
  k: number,
  block: number,
  start: number,
) => number;

const integerSum =
  (round: Unary): Sum =>
  (a, b, row, column, k, block, start) => {
    const blocks = Math.ceil(k / block);
    let sum = start;
    for (let at = 0; at < blocks; at++) {
      let dot = 0;
      for (let j = at * block; j < Math.min(k, (at + 1) * block); j++)
        dot += a.elements[row * k + j] * b.elements[column * k + j];
      const scaled = round(round(dot * a.factors[row * blocks + at]) * b.factors[column * blocks + at]);
      sum = round(sum + scaled);
    }
    return sum;
  };

function floatSum(round: Unary, precision: Precision): Sum {
  const fma = fusedMultiplyAdd(precision);
  return (a, b, row, column, k, block, start) => {
    const blocks = Math.ceil(k / block);
    const value = ({ elements, factors }: Decoded, wide: number, j: number): number =>
      round(elements[wide * k + j] * factors[wide * blocks + Math.floor(j / block)]);
    let sum = start;
    for (let from = 0; from < k; from += FLOAT_RUN) {
      let run = 0;
      for (let j = from; j < Math.min(k, from + FLOAT_RUN); j++)
        run = fma(value(a, row, j), value(b, column, j), run);
      sum = round(sum + run);
    }
    return sum;
  };
}

function decode(
  name: "a" | "b",
  kernel: MxGemmKernel,
  call: Call,
  o: number,
  i: number,
  round: Unary,
): Decoded {
  const sizes = call.sizes as MxGemmSizes;
  const { k } = sizes;
  const { block } = kernel;
  const strides = sizes[name];
  const [wideCount, wide, deep] =
    name === "a" ? [sizes.m, strides.row, strides.column] : [sizes.n, strides.column, strides.row];
  const blocks = Math.ceil(k / block);
  const start = o * (strides.outer ?? 0) + i * (strides.inner ?? 0);
  const place = kernel[name].gathered
    ? gatheredPlace(name, call, start)
    : (w: number, j: number) => start + w * wide + j * deep;
  const decoded = {
    elements: new Float64Array(wideCount * k),
    factors: new Float64Array(wideCount * blocks),
  };
  const decodeBlock = blockDecoder(name, kernel, call, o, i, round);
  for (let w = 0; w < wideCount; w++)
    for (let at = 0; at < blocks; at++) {
      const from = at * block;
      const places = Array.from({ length: Math.min(block, k - from) }, (_, j) => place(w, from + j));
      const { values, factor } = decodeBlock(places, w, at);
      decoded.elements.set(values, w * k + from);
      decoded.factors[w * blocks + at] = factor;
    }
  return decoded;
}

/** Where element k of a row of A or column of B lies. */
function gatheredPlace(name: "a" | "b", call: Call, start: number): (wide: number, k: number) => number {
  const [rows, columns] = [
    viewOf(call.inputs[`${name}Rows`], "i32"),
    viewOf(call.inputs[`${name}Columns`], "i32"),
  ];
  return name === "a"
    ? (wide, k) => start + rows.load(wide) + columns.load(k)
    : (wide, k) => start + rows.load(k) + columns.load(wide);
}

type BlockDecoder = (
  places: readonly number[],
  wide: number,
  block: number,
) => { readonly values: readonly number[]; readonly factor: number };

function blockDecoder(
  name: "a" | "b",
  { [name]: operand, block: size }: MxGemmKernel,
  call: Call,
  o: number,
  i: number,
  round: Unary,
): BlockDecoder {
  const source = viewOf(call.inputs[name], operand.source === "f32" ? "f32" : "u8");
  if (operand.source === "codes") {
    const { element, scales: scaleValues = e8m0Values, gathered } = operand;
    const unit = 2 ** unitBits(element);
    const strides = (call.sizes as MxGemmSizes)[name];
    const { scaleOuter = 0, scaleInner = 0, scaleRow = 0, scaleColumn = 0 } = strides;
    const start = o * (strides.outer ?? 0) + i * (strides.inner ?? 0);
    const scales = viewOf(call.inputs[`${name}Scale`], "u8");
    const [wideStride, deepStride] = name === "a" ? [scaleRow, scaleColumn] : [scaleColumn, scaleRow];
    return (places, wide, block) => {
      const inBatch = gathered ? (places[0] - start) / size : wide * wideStride + block * deepStride;
      const code = scales.load(o * scaleOuter + i * scaleInner + inBatch);
      const values = places.map((place) => decodeElement(element, source.load(place)) * unit);
      return { values, factor: round(scaleValues[code] / unit) };
    };
  }
  const { element, rounding: mode = "nearest-even", scaleRule = "floor" } = operand;
  if (element === null) return (places) => ({ values: places.map((place) => source.load(place)), factor: 1 });
  const unit = 2 ** unitBits(element);
  return (places) => {
    const given = places.map((place) => Math.fround(source.load(place)));
    const largest = given.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : NaN), 0);
    const scale = 2 ** blockExponent(element, largest, scaleRule);
    const values = given.map((x) => roundElement(element, x / scale, mode) * unit);
    return { values: values.map((value) => (Number.isNaN(value) ? 0 : value)), factor: scale / unit };
  };
}
