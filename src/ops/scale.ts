/** Scales of tensors and of channels: one float32 that codes are multiplied with. */
import type { ScalarFormat } from "../formats/format.ts";
import { finiteMagnitude } from "../kernels/codec/block.ts";
import { columns, type ColumnsKernel } from "../kernels/columns.ts";
import type { Value } from "../kernels/program.ts";
import { rows, type RowsKernel } from "../kernels/rows.ts";
import { element, output } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { matrixShape, type Tensor } from "../tensor/tensor.ts";

/** The least scale: an all-zero tensor divides by it and stays zero. */
const LEAST_SCALE = 2 ** -126;

/**
 * How many root mean squares a scale `from: "rms"` covers: 3, as σ* of Madam; it clips 0.27 % of a normal
 * distribution, and leaves outliers without a say in the scale.
 */
export const RMS_MULTIPLE = 3;

type Statistic = "max" | "rms";

/** What a scale is found from, and how it is rounded. */
interface ScaleKind {
  readonly from: Statistic;
  readonly powerOfTwo: boolean;
  /** What the statistic is divided by: the format's largest number (of NVFP4: of elements and scales). */
  readonly top: number;
}

const termOf = (from: Statistic, x: Value): Value => {
  const finite = finiteMagnitude(x);
  return from === "max" ? finite : finite.mul(finite);
};
const operation = { max: "max", rms: "sum" } as const;

/** Statistic into scale: divided by the top, at least 2⁻¹²⁶, and up to a power of two where wanted. */
function finished({ from, powerOfTwo, top }: ScaleKind, reduced: Value, inverseCount: Value): Value {
  const statistic = from === "max" ? reduced : reduced.mul(inverseCount).sqrt().mul(RMS_MULTIPLE);
  const scale = statistic.div(top).max(LEAST_SCALE);
  return powerOfTwo ? scale.asU32().add(0x7fffff).and(0x7f800000).asF32() : scale;
}

const kernels = new Map<string, RowsKernel | ColumnsKernel>();

function remembered<K extends RowsKernel | ColumnsKernel>(name: string, make: () => K): K {
  const known = kernels.get(name) ?? make();
  kernels.set(name, known);
  return known as K;
}

/** Rows into their statistic, unfinished: to be reduced once more. */
const partialRows = (from: Statistic): RowsKernel =>
  remembered(`${from} of rows`, () =>
    rows(`${from} of rows`, { x: element("f32") }, {}, (program) => {
      program.perRow.y = output("f32", program.reduce("y", operation[from], termOf(from, program.scope.x)));
    }),
  );

const nameOf = ({ from, powerOfTwo, top }: ScaleKind): string =>
  `scale from ${from}${powerOfTwo ? ", power of two" : ""} over ${top}`;

/** @param reduced whether x holds sums of squares or maxima already. */
function rowScales(kind: ScaleKind, reduced: boolean): RowsKernel {
  const name = `${nameOf(kind)}, ${reduced ? "of partial results" : "of rows"}`;
  return remembered(name, () =>
    rows(name, { x: element("f32") }, { inverseCount: "f32" }, (program) => {
      const { x, inverseCount } = program.scope;
      const sum = program.reduce("y", operation[kind.from], reduced ? x : termOf(kind.from, x));
      program.perRow.y = output("f32", finished(kind, sum, inverseCount));
    }),
  );
}

function columnScales(kind: ScaleKind): ColumnsKernel {
  const name = `${nameOf(kind)}, of columns`;
  return remembered(name, () =>
    columns(
      name,
      { x: element("f32") },
      { inverseCount: "f32" },
      ({ x }) => ({ y: { op: operation[kind.from], value: termOf(kind.from, x) } }),
      ({ inverseCount }, { y }) => ({ y: output("f32", finished(kind, y, inverseCount)) }),
    ),
  );
}

/**
 *   s = max |x| / max   or   3 · √(mean x²) / max,   at least 2⁻¹²⁶
 *
 * over the finite values (others count as 0), max being the format's largest number, so that the largest magnitude maps
 * to it. With `powerOfTwo` rounded up to a power of two.
 *
 * @param axis  one scale for each index of this axis of a matrix, or null: one for the tensor.
 * @returns float32, [rows], [columns] or [1].
 */
export function scaleOf(
  x: Tensor,
  { from = "max", powerOfTwo = false }: TensorPrecision,
  format: ScalarFormat,
  axis: 0 | 1 | null,
): Tensor {
  return reduceToScale(x, { from, powerOfTwo, top: format.info.max }, axis);
}

/** max |x| / top over the finite values, [1]. */
export const largestOver = (x: Tensor, top: number): Tensor =>
  reduceToScale(x, { from: "max", powerOfTwo: false, top }, null);

function reduceToScale(x: Tensor, kind: ScaleKind, axis: 0 | 1 | null): Tensor {
  const { device } = x;
  const [height, width] = matrixShape(x.shape);
  const sizes = { rows: height, columns: width };
  const inverse = (count: number) => ({ inverseCount: 1 / Math.max(1, count) });
  if (axis === 1) {
    const y = device.empty([width]);
    device.run(columnScales(kind), { inputs: { x }, outputs: { y }, uniforms: inverse(height), sizes });
    return y;
  }
  if (axis === 0) {
    const y = device.empty([height]);
    device.run(rowScales(kind, false), { inputs: { x }, outputs: { y }, uniforms: inverse(width), sizes });
    return y;
  }
  const partial = device.empty([height]);
  device.run(partialRows(kind.from), { inputs: { x }, outputs: { y: partial }, sizes });
  const y = device.empty([1]);
  device.run(rowScales(kind, true), {
    inputs: { x: partial },
    outputs: { y },
    uniforms: inverse(height * width),
    sizes: { rows: 1, columns: height },
  });
  device.free(partial);
  return y;
}

const units = new WeakMap<Device, Tensor>();

/** The scale 1 of a device, shared: not to be freed. */
export function unitScale(device: Device): Tensor {
  const unit = units.get(device) ?? device.keep(device.tensor(Float32Array.of(1), [1]));
  units.set(device, unit);
  return unit;
}
