/** The losses of a linear layer's rows, chunk by chunk: its logits are never whole. */
import { dependsOnAxis, type LayerPrecision } from "./operand.ts";
import type { LinearChunks, LinearInputs } from "./linear-chunks.ts";
import type { RowRange } from "./matrix-rows.ts";
import { mean } from "./mean.ts";
import { blocksOf } from "./quantise.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";

/** Bytes of logits that are computed at once, where whole blocks of rows fit in: 16 MB. What is smaller is one chunk. */
const CHUNK_BYTES = 2 ** 24;

/**
 * Rows that chunks are made of. Every chunk's products read the whole weight, which fewer rows do not pay for (see
 * bench/NOTES.md); and `gemm` sums in blocks of so many, so that a gradient summed chunk by chunk is the same to the bit.
 */
const BLOCK_ROWS = 256;

/** What chunks are cut by. */
export interface ChunkSize {
  /**
   * Rows whose logits are computed at once; a multiple of the policy's blocks. Default: as many whole blocks of 256 as 16 MB of
   * logits hold, one at least.
   */
  readonly chunk?: number;
}

const usualChunk = (classes: number): number =>
  BLOCK_ROWS * Math.max(1, Math.floor(CHUNK_BYTES / (4 * classes * BLOCK_ROWS)));

/**
 * The rows of a layer's input, in chunks.
 *
 * @throws ShapeError when the layer's tensors or the targets do not fit, RangeError for a chunk that is no positive integer, or
 *   cuts blocks of the policy.
 */
export function chunksOf(
  { x, w, b }: LinearInputs,
  targets: Tensor,
  { policy }: LayerPrecision,
  { chunk = usualChunk(w.shape[0]) }: ChunkSize,
): RowRange[] {
  expectShape("linearCrossEntropy's weight", w, null, null);
  expectShape("linearCrossEntropy", x, null, w.shape[1]);
  if (b) expectShape("linearCrossEntropy's bias", b, w.shape[0]);
  expectShape("linearCrossEntropy's targets", targets, x.shape[0]);
  const blocks = [policy.activation, policy.error].flatMap((precision) =>
    precision && dependsOnAxis(precision) ? (blocksOf(precision)?.block ?? []) : [],
  );
  const block = Math.max(1, ...blocks);
  if (!Number.isInteger(chunk) || chunk < 1 || chunk % block !== 0)
    throw new RangeError(
      `logrung: chunks of ${chunk} rows, wants a positive integer${block > 1 ? ` that ${block} divides` : ""}`,
    );
  const [rows] = x.shape;
  return Array.from({ length: Math.ceil(rows / chunk) }, (_, i) => ({
    first: i * chunk,
    count: Math.min(chunk, rows - i * chunk),
  }));
}

/**
 * The mean loss of all rows, [1].
 *
 * @param use  writes the losses of a chunk's logits, which are freed after it, among those of all rows.
 */
export function lossOfChunks(
  layer: LinearChunks,
  ranges: readonly RowRange[],
  use: (loss: Tensor, logits: Tensor, range: RowRange) => void,
): Tensor {
  const { device, shape } = layer.inputs.x;
  const loss = device.empty([shape[0]]);
  for (const range of ranges) {
    const logits = layer.forward(range);
    use(loss, logits, range);
    device.free(logits);
  }
  const average = mean(loss);
  device.free(loss);
  return average;
}
