/** Layers made of three products: their operands in the formats of a precision policy, forward and backward. */
import { columns } from "../kernels/columns.ts";
import { element, output } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { isCoded, type Tensor } from "../tensor/tensor.ts";
import { dependsOnAxis, forKeeping, freeRounded, madeBy, rounded, type LayerPrecision } from "./operand.ts";
import { packedRounding, type PackedRounding } from "./product.ts";
import { dequantise, type QuantisedAxes } from "./quantise.ts";

const biasGradient = columns(
  "bias gradient",
  { dy: element("f32") },
  {},
  ({ dy }) => ({ sum: { op: "sum", value: dy } }),
  (_, { sum }) => ({ db: output("f32", sum) }),
);

/** Σ over rows, [columns]. */
function sumRows(dy: Tensor): Tensor {
  const db = dy.device.empty([dy.shape[1]]);
  const sizes = { rows: dy.shape[0], columns: dy.shape[1] };
  dy.device.run(biasGradient, { inputs: { dy }, outputs: { db }, sizes });
  return db;
}

/** Activations and errors [tokens, features] for products that sum over features; channels are features. */
export const alongFeatures: QuantisedAxes = { channel: 1, reduction: 1 };
/** The same for sums over tokens. */
export const alongTokens: QuantisedAxes = { channel: 1, reduction: 0 };
/** Weights [out, in] for sums over inputs; channels are outputs. */
export const alongIn: QuantisedAxes = { channel: 0, reduction: 1 };
/** The same for sums over outputs. */
export const alongOut: QuantisedAxes = { channel: 0, reduction: 0 };

/** An operand of a product: in any encoding, or float32 that the product rounds to blocks while it packs it. */
export interface WeightedOperand {
  readonly tensor: Tensor;
  readonly blocks?: PackedRounding;
}

/** The products of a layer with weights, on operands in any encoding; none is recorded on the tape. */
export interface WeightedProducts {
  /** Whether they take operands with `blocks`, which run along the product's sum. */
  readonly roundWhilePacking: boolean;
  /** Whether `input` takes weights with `blocks`: its sum does not run along an axis of w alone. */
  readonly roundWeightWhilePacking: boolean;
  /** Whether `forward` sums over w's first axis and `input` over the other, as transposed convolutions do. Default false. */
  readonly transposed?: boolean;
  /** y from x [rows, in] and w [out, …], plus the bias of each output. */
  forward(x: WeightedOperand, w: Tensor, bias: Tensor | null): Tensor;
  /** dx from dy [rows, out] and w. */
  input(dy: WeightedOperand, w: WeightedOperand): Tensor;
  /** dw from dy and x; an x in blocks may come with the order to round what is made of it to such blocks again. */
  weight(dy: WeightedOperand, x: WeightedOperand): Tensor;
}

/**
 *   y = forward(Q_A(x), Q_W(w)) + b                                 summed over in
 *   dx = input(Q_E(dy), Q_W(w))                                     summed over out
 *   dw = weight(Q_E(dy), Q_A(x)),   db = Σ dy                       summed over rows
 *
 * Every product reads operands quantised along its own reduction axis; where scales do not run along it (all but
 * blocks) the codes are the same for both. Straight-through: quantisers count as the identity in differentiation, so these
 * are the gradients of the product of the rounded operands. What is kept for the backward pass is Q_A(x), in its format.
 * With passes `forward-only` the backward products read x, w and dy as they are, and x is kept in float32.
 *
 * @param w  [out, …]; codes that the optimiser stores are read as they are, or decoded and rounded again where the
 *   policy names another format for operands than for storage.
 * @param b  [out] or null
 */
export function weighted(
  x: Tensor,
  w: Tensor,
  b: Tensor | null,
  precision: LayerPrecision,
  products: WeightedProducts,
): Tensor {
  const { policy, key } = precision;
  const forwardX = operandOf(x, policy.activation, alongFeatures, products, () => key("activation"));
  const forwardAxes = products.transposed && dependsOnAxis(policy.weight) ? alongOut : alongIn;
  const forwardW = roundedWeight(w, forwardAxes, precision, readLater(x, w, precision));
  const y = products.forward(forwardX, forwardW.operand, b);
  forwardW.done();
  const kept = keptActivation(x, forwardX.tensor, w.tracked, precision);
  const vjp = (dy: Tensor): (Tensor | null)[] => {
    const gradients = backward(dy, { x, w, kept }, precision, products);
    return b ? [...gradients, sumRows(dy)] : gradients;
  };
  const reads = kept === x && w.tracked ? [x] : [];
  return x.device.tape.record(b ? [x, w, b] : [x, w], y, madeBy(kept, x), vjp, reads);
}

/**
 * Q(x) for one product; where its blocks can be rounded while they are packed, x with the order to do so, and no codes lie
 * in memory.
 */
export function operandOf(
  x: Tensor,
  precision: TensorPrecision | null,
  axes: QuantisedAxes,
  { roundWhilePacking }: WeightedProducts,
  key: () => Key,
): WeightedOperand {
  const blocks = roundWhilePacking && x.encoding.kind === "float32" ? packedRounding(precision) : null;
  return blocks ? { tensor: x, blocks } : { tensor: rounded(x, precision, axes, key) };
}

/** Q_A(x) as the weight's gradient will read it; the forward product's own version goes where that is another. */
function keptActivation(x: Tensor, forward: Tensor, read: boolean, { policy, key }: LayerPrecision): Tensor {
  const both = policy.passes === "both";
  if (both && !dependsOnAxis(policy.activation)) return forKeeping(forward, x);
  freeRounded(forward, x);
  if (!both || !read || !x.device.tape.recording) return x;
  const along = rounded(x, policy.activation, alongTokens, () => key("activation of the backward pass"));
  return forKeeping(along, x);
}

interface Operands {
  readonly x: Tensor;
  readonly w: Tensor;
  /** What of x is kept. */
  readonly kept: Tensor;
}

/** [dx, dw], each where it is wanted. */
function backward(
  dy: Tensor,
  { x, w, kept }: Operands,
  precision: LayerPrecision,
  products: WeightedProducts,
): (Tensor | null)[] {
  const { policy, key } = precision;
  const error = policy.passes === "both" ? policy.error : null;
  const features = operandOf(dy, error, alongFeatures, products, () => key("error"));
  const dx = x.tracked ? inputGradient(features, w, precision, products) : null;
  const tokens = dependsOnAxis(error)
    ? operandOf(dy, error, alongTokens, products, () => key("error of the weight's gradient"))
    : features;
  const order = kept === x ? null : packedRounding(policy.activation);
  const dw = w.tracked
    ? products.weight(tokens, order ? { tensor: kept, blocks: order } : { tensor: kept })
    : null;
  if (tokens !== features) freeRounded(tokens.tensor, dy);
  freeRounded(features.tensor, dy);
  return [dx, dw];
}

/** dx. The weight is that of the forward pass where its scales do not run along an axis. */
function inputGradient(
  error: WeightedOperand,
  w: Tensor,
  precision: LayerPrecision,
  products: WeightedProducts,
): Tensor {
  const { passes, weight } = precision.policy;
  const blocks = passes === "both" && products.roundWeightWhilePacking ? packedRounding(weight) : null;
  if (blocks) return products.input(error, { tensor: w, blocks });
  const axes = dependsOnAxis(weight) && !products.transposed ? alongOut : alongIn;
  if (passes !== "both") return products.input(error, { tensor: w });
  const { operand, done } = roundedWeight(w, axes, precision, w.device.roundedWeights.again);
  const dx = products.input(error, { tensor: operand });
  done();
  return dx;
}

/** Whether the weight that a forward product reads is to be read again before it changes. */
function readLater(x: Tensor, w: Tensor, { policy }: LayerPrecision): boolean {
  const { tape, roundedWeights } = w.device;
  const both = tape.recording && x.tracked && policy.passes === "both";
  return roundedWeights.again || tape.willReplay || (both && !dependsOnAxis(policy.weight));
}

/**
 * Q_W(w) for a product that sums over `axes.reduction`. Within a step it is made once and kept while it is read later;
 * stochastic rounding draws anew for each use.
 *
 * @returns the operand and what to call after its use.
 */
export function roundedWeight(
  w: Tensor,
  axes: QuantisedAxes,
  precision: LayerPrecision,
  later: boolean,
): { readonly operand: Tensor; readonly done: () => void } {
  const { weight } = precision.policy;
  const { roundedWeights, inStep } = w.device;
  const known = roundedWeights.find(w, weight, axes.reduction);
  const operand = known ?? freshlyRounded(w, axes, precision);
  const keeps = later && inStep && operand !== w && weight?.rounding !== "stochastic";
  if (keeps && !known) roundedWeights.keep(w, weight, axes.reduction, operand);
  if (!keeps && known) roundedWeights.take(w, known);
  return { operand, done: () => (keeps ? undefined : freeRounded(operand, w)) };
}

function freshlyRounded(w: Tensor, axes: QuantisedAxes, { policy, key }: LayerPrecision): Tensor {
  const { weight: precision, update } = policy;
  const random = () => key(axes === alongIn ? "weight" : "weight of the backward pass");
  if (!isCoded(w)) return rounded(w, precision, axes, random);
  const asStored =
    precision === null || same(precision, update) || precision.format === w.encoding.format.name;
  if (asStored) return w;
  const values = dequantise(w);
  const operand = rounded(values, precision, axes, random);
  w.device.free(values);
  return operand;
}

const same = (a: TensorPrecision, b: TensorPrecision | null): boolean =>
  a === b || (b !== null && JSON.stringify(a) === JSON.stringify(b));
