/** Quantising and decoding an array, element by element with the reference encoders. */
import type { BlockFormat } from "../../src/formats/block-format.ts";
import type { Rounding, ScalarFormat } from "../../src/formats/format.ts";
import { RMS_MULTIPLE } from "../../src/ops/scale.ts";
import {
  blockScale,
  dequantiseBlock,
  quantiseBlock,
  tensorScaleOf,
} from "../../src/formats/quantise-block.ts";
import { randomBits } from "../../src/random/random-bits.ts";
import { streamKey } from "../../src/random/stream.ts";
import { axisOf, blocks, lines, pieces, type Segment } from "./lines.ts";
import type { PlannedFormat, QuantizePlan } from "./plan.ts";
import { ErrorStatistics } from "./statistics.ts";

export type Numbers = Float32Array | Float64Array;

export interface Quantised {
  /** What the codes stand for. */
  readonly decoded: Float32Array;
  readonly statistics: ErrorStatistics;
}

/** Called now and then with the elements done; may wait, and throws to stop. */
export type Pace = (done: number) => Promise<void> | undefined;

/** A tensor to be quantised: row-major. */
export interface Source {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Numbers;
}

/** Least scale, as in training: a tensor of zeros divides by it and stays zero. */
const leastScale = 2 ** -126;

type ScalarPlan = Extract<PlannedFormat, { readonly kind: "scalar" }>;

/** A segment that has been quantised. */
interface Done extends Segment {
  /** The largest magnitude that its scale allows. */
  readonly top: number;
}

/** What quantising goes by. */
interface Task {
  readonly values: Numbers;
  readonly decoded: Float32Array;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly rounding: Rounding;
  /** 32 random bits of an element. */
  random(index: number): number;
}

/**
 *   y = decode(encode(x / s)) · s,   in float32, as in training
 *
 * x is rounded to float32 first. Stochastic rounding takes its bits from (seed, tensor's name, index in row-major order, in
 * blocks as if lines were filled up to whole ones), so the order of elements in the file does not matter.
 *
 * @throws QuantizeError when the tensor has no such axis.
 */
export async function quantiseTensor(
  { name, shape, values }: Source,
  planned: PlannedFormat,
  plan: Pick<QuantizePlan, "axis" | "rounding" | "seed">,
  pace: Pace = () => undefined,
): Promise<Quantised> {
  const { rounding, seed } = plan;
  const axis = axisOf(name, shape, plan.axis);
  const [key0, key1] = streamKey(seed, name, 0, "quantize");
  const random = rounding === "stochastic" ? (index: number) => randomBits(index, key0, key1) : () => 0;
  const decoded = new Float32Array(values.length);
  const task = { values, decoded, shape, axis, rounding, random };
  const statistics = new ErrorStatistics();
  const parts =
    planned.kind === "block" ? quantiseBlocks(task, planned.format) : quantiseScaled(task, planned);
  let done = 0;
  for (const { offset, stride, length, top } of parts) {
    for (let i = 0, at = offset; i < length; i++, at += stride) statistics.add(values[at], decoded[at], top);
    done += length;
    const wait = pace(done);
    if (wait !== undefined) await wait;
  }
  return { decoded, statistics };
}

function* quantiseScaled(
  { values, decoded, shape, axis, rounding, random }: Task,
  planned: ScalarPlan,
): Generator<Done> {
  const { format, scale: rule } = planned;
  const clamped = rule === "none" ? (x: number): number => x : clampOf(format);
  const whole = { offset: 0, stride: 1, length: values.length };
  const shared = rule === "tensor" ? scaleOf(values, whole, planned) : rule === "none" ? 1 : rule;
  for (const segment of rule === "channel" ? lines(shape, axis) : pieces(values.length)) {
    const scale = shared === "channel" ? scaleOf(values, segment, planned) : shared;
    const { offset, stride, length } = segment;
    for (let i = 0, at = offset; i < length; i++, at += stride) {
      const scaled = clamped(Math.fround(Math.fround(values[at]) / scale));
      decoded[at] = Math.fround(format.decode(format.encode(scaled, rounding, random(at)))) * scale;
    }
    yield { ...segment, top: Math.fround(format.info.max) * scale };
  }
}

/** Scaled numbers saturate, also in formats that overflow to infinity; a NaN stays one. */
function clampOf({ coding, info }: ScalarFormat): (x: number) => number {
  const overflows = coding.kind === "float" && coding.overflow === "infinity";
  return overflows ? (x) => Math.max(-info.max, Math.min(info.max, x)) : (x) => x;
}

/**
 * What maps the largest finite magnitude, or three root mean squares, to the format's largest value. The squares are
 * added in float64, in training in float32: the two scales may differ by a rounding.
 */
function scaleOf(values: Numbers, segment: Segment, { format, from, powerOfTwo }: ScalarPlan): number {
  const statistic =
    from === "max" ? largest(values, segment) : RMS_MULTIPLE * rootMeanSquare(values, segment);
  const scale = Math.max(leastScale, Math.fround(statistic / format.info.max));
  return powerOfTwo ? 2 ** Math.ceil(Math.log2(scale)) : scale;
}

function largest(values: Numbers, { offset, stride, length }: Segment): number {
  let top = 0;
  for (let i = 0, at = offset; i < length; i++, at += stride) {
    const magnitude = Math.abs(Math.fround(values[at]));
    if (magnitude > top && magnitude < Infinity) top = magnitude;
  }
  return top;
}

/** Of the finite ones, the others counting as zeros. */
function rootMeanSquare(values: Numbers, { offset, stride, length }: Segment): number {
  let sum = 0;
  for (let i = 0, at = offset; i < length; i++, at += stride) {
    const value = Math.fround(values[at]);
    if (Number.isFinite(value)) sum += value * value;
  }
  return Math.sqrt(sum / length);
}

function* quantiseBlocks(
  { values, decoded, shape, axis, rounding, random }: Task,
  format: BlockFormat,
): Generator<Done> {
  const tensorScale = tensorScaleOf(values, format);
  const buffer = new Float32Array(format.block);
  for (const block of blocks(shape, axis, format.block)) {
    const { offset, filledOffset, stride, length } = block;
    const part = buffer.subarray(0, length);
    for (let i = 0; i < length; i++) part[i] = values[offset + i * stride];
    const bits = (element: number): number => random(filledOffset + element * stride);
    const quantised = quantiseBlock(part, format, rounding, bits, tensorScale);
    const numbers = dequantiseBlock(quantised, format, tensorScale);
    for (let i = 0; i < length; i++) decoded[offset + i * stride] = numbers[i];
    yield { ...block, top: format.element.info.max * blockScale(quantised.scale, format, tensorScale) };
  }
}
