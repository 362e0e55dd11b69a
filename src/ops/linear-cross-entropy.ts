/** A model's output layer and its cross entropy as one operation, which never holds all of its logits. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import { crossEntropies } from "./cross-entropy.ts";
import { LinearChunks, LinearGradients } from "./linear-chunks.ts";
import { linear } from "./linear.ts";
import { chunksOf, lossOfChunks, type ChunkSize } from "./loss-chunks.ts";
import type { LayerPrecision } from "./operand.ts";
import { lossesAndErrors, lossesInto, meanLoss } from "./row-losses.ts";
import { smoothedCrossEntropies, type Softening } from "./smoothed-cross-entropy.ts";

/** What {@link linearCrossEntropy} measures against, and how it is computed. */
export interface LinearCrossEntropyOptions extends ChunkSize {
  /** What targets are softened by. Default nothing. */
  readonly softening?: Softening | null;
}

/**
 *   L = mean over rows of -log softmax(x · wᵀ + b)[target], in nats
 *
 * `crossEntropy` (or `smoothedCrossEntropy`) of `linear`, and computed so where all rows are one chunk. Else logits, losses and,
 * where gradients are recorded, errors and what they add to dx, dw and db are computed for one chunk of rows after the other, whose
 * logits take each other's place. The backward pass only multiplies by dL, which it need not where that is 1.
 *
 * In float32 the results are those of the whole to the bit for chunks of whole blocks of 256 rows, as they are by default; with
 * others dw differs in the rounding of its sums. Under a policy the operands too are those of the whole, but for errors with a scale
 * of the tensor or of its columns: each chunk has its own, which is as fine or finer. Stochastic rounding draws other bits for the
 * errors, errors are rounded before they are multiplied by dL, and scales of whole tensors of blocks (NVFP4's) into dw chunk by chunk.
 *
 * Rows that are to have no say are to be left out of x, as a model of hidden symbols does.
 *
 * @param x        [rows, in]
 * @param w        [classes, in]; another operation may read it too (tied weights): gradients add up.
 * @param b        [classes] or null
 * @param targets  [rows], int32 in 0 … classes-1
 * @returns a scalar, shape [1].
 * @throws RangeError for a chunk that is no positive integer or cuts the policy's blocks, and as `smoothedCrossEntropy`.
 * @source Hsu et al. 2024, Liger Kernel: efficient Triton kernels for LLM training.
 */
export function linearCrossEntropy(
  x: Tensor,
  w: Tensor,
  b: Tensor | null,
  targets: Tensor,
  precision: LayerPrecision,
  { softening = null, ...size }: LinearCrossEntropyOptions = {},
): Tensor {
  const { tape } = x.device;
  const ranges = chunksOf({ x, w, b }, targets, precision, size);
  const losses = softening ? smoothedCrossEntropies(targets, w.shape[0], softening) : crossEntropies(targets);
  if (ranges.length === 1) return meanLoss(linear(x, w, b, precision), losses);
  const inputs = b ? [x, w, b] : [x, w];
  const layer = new LinearChunks({ x, w, b }, precision);
  const wanted = tape.recording && inputs.some(({ tracked }) => tracked);
  const gradients = wanted ? new LinearGradients(layer, precision) : null;
  const share = 1 / x.shape[0];
  const loss = lossOfChunks(layer, ranges, (all, logits, range) => {
    if (!gradients) lossesInto(all, logits, losses, range.first);
    else {
      lossesAndErrors(all, logits, losses, { first: range.first, share });
      gradients.add(logits, range);
    }
  });
  gradients?.free();
  layer.free();
  const vjp = (dy: Tensor): readonly (Tensor | null)[] => {
    const found = gradients?.found ?? [];
    if (!tape.isOne(dy)) for (const gradient of found) if (gradient) multiply(gradient, dy);
    return found;
  };
  return tape.record(inputs, loss, [], vjp, []);
}

const times = pointwise("times upstream", { x: element("f32"), dy: scalar("f32") }, {}, ({ x, dy }) => ({
  x: output("f32", x.mul(dy)),
}));

function multiply(x: Tensor, dy: Tensor): void {
  const sizes = { rows: 1, columns: sizeOf(x.shape) };
  x.device.run(times, { inputs: { x, dy }, outputs: {}, sizes });
}
