/** The products of a linear layer on some of its rows at a time: results that are never whole. */
import { gather } from "../kernels/gather.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { linearProducts } from "./linear.ts";
import { placeRows, rowsOf, type RowRange } from "./matrix-rows.ts";
import { dependsOnAxis, freeRounded, type LayerPrecision } from "./operand.ts";
import { addProduct, product, readied, type Side } from "./product.ts";
import type { QuantisedAxes } from "./quantise.ts";
import {
  alongFeatures,
  alongIn,
  alongOut,
  alongTokens,
  operandOf,
  roundedWeight,
  type WeightedOperand,
} from "./weighted.ts";

/** A linear layer: its input [rows, in], weight [out, in] and bias [out]. */
export interface LinearInputs {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly b: Tensor | null;
}

/** An operand that is read once a chunk, and how to give back what was made for it. */
interface Held {
  readonly operand: WeightedOperand;
  readonly free: () => void;
}

/** @param done  gives back what the operand's tensor was made from, or that itself. */
function held({ tensor, ...how }: WeightedOperand, done: () => void): Held {
  const ready = readied(tensor);
  if (ready === tensor) return { operand: { tensor, ...how }, free: done };
  done();
  return { operand: { tensor: ready, ...how }, free: () => ready.device.free(ready) };
}

function heldInput(x: Tensor, { policy, key }: LayerPrecision, axes: QuantisedAxes, purpose: string): Held {
  const operand = operandOf(x, policy.activation, axes, linearProducts, () => key(purpose));
  return held(operand, () => freeRounded(operand.tensor, x));
}

function heldWeight(w: Tensor, precision: LayerPrecision, axes: QuantisedAxes): Held {
  const { operand, done } = roundedWeight(w, axes, precision, w.device.roundedWeights.again);
  return held({ tensor: operand }, done);
}

/** Calls `body` with some rows of an operand. */
function onRows<T>({ operand }: Held, range: RowRange, body: (rows: WeightedOperand) => T): T {
  const { tensor, free } = rowsOf(operand.tensor, range);
  const result = body({ ...operand, tensor });
  free();
  return result;
}

/**
 * y = Q_A(x) · Q_W(w)ᵀ + b of some rows at a time. Both are rounded as a whole and once, as `linear` does: the rows are
 * those of its result to the bit.
 */
export class LinearChunks {
  readonly inputs: LinearInputs;
  readonly x: Held;
  readonly w: Held;

  constructor(inputs: LinearInputs, precision: LayerPrecision) {
    this.inputs = inputs;
    this.x = heldInput(inputs.x, precision, alongFeatures, "activation");
    this.w = heldWeight(inputs.w, precision, alongIn);
  }

  /** @returns [count, out], not recorded on the tape. */
  forward(range: RowRange): Tensor {
    const { b } = this.inputs;
    return onRows(this.x, range, (x) => linearProducts.forward(x, this.w.operand.tensor, b));
  }

  free(): void {
    this.x.free();
    this.w.free();
  }
}

const addRows = gather("bias gradient of rows", "accumulate", { dy: element("f32") }, {}, ({ dy }) =>
  output("f32", dy),
);

const side = (operand: WeightedOperand, transposed: boolean): Side => ({ ...operand, transposed });

/**
 * The gradients of a linear layer from dy of some rows after the other.
 *
 *   dx = Q_E(dy) · Q_W(w),   dw = Σ Q_E(dy)ᵀ · Q_A(x),   db = Σ dy    sums over rows, chunk by chunk
 *
 * Rounded as in `weighted`, but for errors with a scale of the whole tensor or of its columns: there each chunk has its
 * own, which its largest error sets, so that it is as fine as that of all rows or finer.
 */
export class LinearGradients {
  readonly inputs: LinearInputs;
  private readonly precision: LayerPrecision;
  /** x as dw reads it, and w as dx does. */
  private readonly x: Held;
  private readonly w: Held;
  private readonly dx: Tensor | null;
  private dw: Tensor | null = null;
  private readonly db: Tensor | null;

  /** @param chunks  the layer's forward products, whose operands are read here too; they outlive these. */
  constructor({ inputs, ...forward }: LinearChunks, precision: LayerPrecision) {
    const { x, w, b } = inputs;
    const { passes, activation, weight } = precision.policy;
    const shared = ({ operand }: Held): Held => ({ operand, free: () => undefined });
    const plain = (tensor: Tensor): Held => held({ tensor }, () => undefined);
    this.inputs = inputs;
    this.precision = precision;
    if (passes !== "both") [this.x, this.w] = [plain(x), plain(w)];
    else {
      this.x = dependsOnAxis(activation)
        ? heldInput(x, precision, alongTokens, "activation of the backward pass")
        : shared(forward.x);
      this.w = dependsOnAxis(weight) ? heldWeight(w, precision, alongOut) : shared(forward.w);
    }
    this.dx = x.tracked ? x.device.empty(x.shape) : null;
    this.db = b?.tracked ? b.device.tensor(new Float32Array(w.shape[0]), b.shape) : null;
  }

  /** Goes on with dy [count, out] of the rows that follow. */
  add(dy: Tensor, range: RowRange): void {
    const { x, w } = this.inputs;
    const features = this.error(dy, range, alongFeatures, "error");
    if (x.tracked) this.addInput(features, range);
    if (w.tracked) {
      const along = dependsOnAxis(this.errorPrecision);
      const tokens = along ? this.error(dy, range, alongTokens, "error of the weight's gradient") : features;
      this.addWeight(tokens, range);
      if (along) freeRounded(tokens.tensor, dy);
    }
    freeRounded(features.tensor, dy);
    if (this.db) this.addBias(this.db, dy);
  }

  /** dx, dw and, of a layer that has one, db; null where no gradient is wanted. */
  get found(): readonly (Tensor | null)[] {
    const { dx, dw, db } = this;
    return this.inputs.b ? [dx, dw, db] : [dx, dw];
  }

  /** Gives back all but the gradients. */
  free(): void {
    this.x.free();
    this.w.free();
  }

  private get errorPrecision() {
    const { passes, error } = this.precision.policy;
    return passes === "both" ? error : null;
  }

  /** Q_E(dy). Random bits are new in every chunk. */
  private error(dy: Tensor, { first }: RowRange, axes: QuantisedAxes, purpose: string): WeightedOperand {
    const key = () => this.precision.key(first === 0 ? purpose : `${purpose} from row ${first}`);
    return operandOf(dy, this.errorPrecision, axes, linearProducts, key);
  }

  private addInput(dy: WeightedOperand, { first }: RowRange): void {
    if (!this.dx) return;
    const rows = linearProducts.input(dy, this.w.operand);
    placeRows(this.dx, rows, first);
    rows.device.free(rows);
  }

  private addWeight(dy: WeightedOperand, range: RowRange): void {
    onRows(this.x, range, (x) => {
      if (this.dw) addProduct(this.dw, side(dy, true), side(x, false));
      else this.dw = product(side(dy, true), side(x, false));
    });
  }

  /** Row after row, as one sum over all would. */
  private addBias(db: Tensor, dy: Tensor): void {
    const { device } = dy;
    const [rows, columns] = dy.shape;
    const index = device.tensor(new Int32Array(rows), [rows]);
    device.run(addRows, { inputs: { index, dy }, outputs: { out: db }, sizes: { rows, columns } });
    device.free(index);
  }
}

/**
 * Some rows of `linear`'s result, to the bit: its operands are rounded as a whole.
 *
 * @returns [count, out], not recorded on the tape.
 */
export function linearRows(inputs: LinearInputs, precision: LayerPrecision, range: RowRange): Tensor {
  const layer = new LinearChunks(inputs, precision);
  const y = layer.forward(range);
  layer.free();
  return y;
}
