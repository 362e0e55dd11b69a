/** Training steps of classifiers to time. */
import { trainingPass, type Pass } from "../../src/nn/pass.ts";
import { crossEntropy } from "../../src/ops/cross-entropy.ts";
import { createGroup } from "../../src/optim/group.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Policy } from "../../src/precision/policy.ts";
import { presets } from "../../src/precision/presets.ts";
import type { Device } from "../../src/tensor/device.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { backward } from "../../src/tensor/tape.ts";
import { elementBytes, item, sizeOf, type Tensor } from "../../src/tensor/tensor.ts";
import type { ClassBatch } from "../peers/protocol.ts";

/** What is trained: a model of rows of features. */
export interface Classifier {
  readonly parameters: readonly Parameter[];
  /** @param x [rows, features]  @returns logits, [rows, classes] */
  logits(x: Tensor, pass: Pass): Tensor;
}

/** A classifier in training. */
export interface ClassifierTraining {
  /** The next step; gives its loss. */
  step(): Promise<number>;
  /** Bytes held between steps a parameter: weights and optimiser state. */
  readonly bytesPerParameter: number;
}

/**
 * A classifier under Adam in float32, with batches that come round and round.
 *
 * @param policy  formats of the products' operands; default float32.
 */
export async function classifierTraining(
  device: Device,
  { parameters, logits }: Classifier,
  batches: readonly ClassBatch[],
  lr: number,
  policy: Policy = presets.fp32,
): Promise<ClassifierTraining> {
  const group = await createGroup({
    optimizer: optimizers.adamw,
    options: { lr, weightDecay: 0 },
    precision: { weight: null, gradient: null, moment: { first: null, second: null } },
    parameters,
    seed: 1,
  });
  const kept = group.slots.flatMap(({ parameter, state }) => [parameter.tensor, ...Object.values(state)]);
  const bytes = kept.reduce((sum, { encoding, shape }) => sum + elementBytes(encoding, shape), 0);
  const count = parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0);
  let t = 0;
  const step = (): Promise<number> =>
    device.step(async () => {
      const { x, y } = batches[t++ % batches.length];
      const rows = device.tensor(x, [y.length, x.length / y.length]);
      const loss = crossEntropy(logits(rows, trainingPass(policy, 0, 1, t)), device.tensor(y, [y.length]));
      group.step(backward(loss), { t, lrFactor: 1 });
      return item(loss);
    });
  return { step, bytesPerParameter: bytes / count };
}
