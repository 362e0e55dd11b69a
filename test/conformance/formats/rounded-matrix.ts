/** A policy's rounding of a matrix, worked out in float64 by the formats' scalar encoders alone. */
import { format as scalarFormat } from "../../../src/formats/index.ts";
import { blockFormat, isBlockFormat } from "../../../src/formats/block-format.ts";
import type { TensorPrecision } from "../../../src/precision/policy.ts";

/** Row-major numbers. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: Float64Array;
}

export const matrix = (rows: number, columns: number, value: (r: number, c: number) => number): Matrix => ({
  rows,
  columns,
  at: Float64Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns)),
});

export const get = ({ at, columns }: Matrix, r: number, c: number): number => at[r * columns + c];
export const transposed = (m: Matrix): Matrix => matrix(m.columns, m.rows, (r, c) => get(m, c, r));

/** A · B. */
export const times = (a: Matrix, b: Matrix): Matrix =>
  matrix(a.rows, b.columns, (r, c) => {
    let sum = 0;
    for (let k = 0; k < a.columns; k++) sum += get(a, r, k) * get(b, k, c);
    return sum;
  });

const largest = (values: readonly number[]): number => Math.max(2 ** -126, ...values.map(Math.abs));

/** The values that a group of elements under one scale is rounded to. */
function group(values: readonly number[], precision: TensorPrecision): number[] {
  const format = scalarFormat(precision.format);
  const { scale: rule, rounding } = precision;
  const scale =
    rule === "none"
      ? 1
      : typeof rule === "number"
        ? rule
        : Math.fround(Math.fround(largest(values)) / format.info.max);
  return values.map((x) => format.decode(format.encode(Math.fround(x / scale), rounding, 0)) * scale);
}

/** OCP MX: X = floor(log₂ max) less the exponent of the element's largest value. */
function block(values: readonly number[], { format: name, rounding }: TensorPrecision): number[] {
  const { element } = blockFormat(name);
  const exponent = Math.floor(Math.log2(largest(values))) - Math.floor(Math.log2(element.info.max));
  const scale = 2 ** Math.max(-127, exponent);
  return values.map((x) => element.decode(element.encode(x / scale, rounding, 0)) * scale);
}

/**
 * Q(m), element by element.
 *
 * @param axes  which axis is the channel, and which the product sums over.
 */
export function roundedMatrix(
  m: Matrix,
  precision: TensorPrecision | null,
  axes: { readonly channel: 0 | 1; readonly reduction: 0 | 1 },
): Matrix {
  if (precision === null) return m;
  const blocks = isBlockFormat(precision.format);
  if (!blocks && precision.scale !== "channel") {
    return { ...m, at: Float64Array.from(group([...m.at], precision)) };
  }
  const alongRows = blocks ? axes.reduction === 0 : axes.channel === 1;
  if (alongRows) {
    const other = { channel: axes.channel === 1 ? 0 : 1, reduction: 1 } as const;
    return transposed(roundedMatrix(transposed(m), precision, other));
  }
  const size = blocks ? (precision.block ?? 32) : m.columns;
  const at = new Float64Array(m.at.length);
  for (let r = 0; r < m.rows; r++) {
    for (let start = 0; start < m.columns; start += size) {
      const end = Math.min(m.columns, start + size);
      const values = [...m.at.subarray(r * m.columns + start, r * m.columns + end)];
      at.set(blocks ? block(values, precision) : group(values, precision), r * m.columns + start);
    }
  }
  return { ...m, at };
}
