/** How well an output layer tells its targets: loss and hits, without its logits as a whole. */
import { f32, index, select } from "../kernels/program.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perRow } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { crossEntropies } from "./cross-entropy.ts";
import { LinearChunks, type LinearInputs } from "./linear-chunks.ts";
import { chunksOf, lossOfChunks, type ChunkSize } from "./loss-chunks.ts";
import type { LayerPrecision } from "./operand.ts";
import { lossesInto } from "./row-losses.ts";

/** A row is told right where no class comes before its target, by logit and then by number. */
const judge = rows("told right", { logits: element("f32"), target: perRow("i32") }, {}, (program) => {
  const { logits, target } = program.scope;
  const column = index("column").asI32();
  const own = program.reduce("own", "sum", select(column.eq(target), logits, f32(0)));
  const before = select(column.lt(target), logits.ge(own), logits.gt(own));
  const ahead = program.reduce("ahead", "max", select(before, f32(1), f32(0)));
  program.perRow.right = output("f32", f32(1).sub(ahead));
});

/** What {@link judgedCrossEntropy} finds. */
export interface Judged {
  /** Mean cross entropy, [1]. */
  readonly loss: Tensor;
  /** 1 for each row whose target has the greatest logit (of equal ones the first class has it), else 0; [rows]. */
  readonly right: Tensor;
}

/**
 * `linearCrossEntropy`, and which targets are the likeliest classes; not recorded on the tape.
 *
 * @param targets  [rows], int32
 * @throws RangeError for a chunk that is no positive integer or cuts the policy's blocks.
 */
export function judgedCrossEntropy(
  inputs: LinearInputs,
  targets: Tensor,
  precision: LayerPrecision,
  size: ChunkSize = {},
): Judged {
  const { device } = targets;
  const ranges = chunksOf(inputs, targets, precision, size);
  const right = device.empty(targets.shape);
  const layer = new LinearChunks(inputs, precision);
  const losses = crossEntropies(targets);
  const loss = lossOfChunks(layer, ranges, (all, logits, { first }) => {
    lossesInto(all, logits, losses, first);
    const [count, columns] = logits.shape;
    device.run(judge, {
      inputs: { logits, target: targets.storage.slice(4 * first) },
      outputs: { right: right.storage.slice(4 * first) },
      sizes: { rows: count, columns },
    });
  });
  layer.free();
  return { loss, right };
}
