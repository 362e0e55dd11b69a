/** Training steps of a multi-layer perceptron to time. */
import { mlp } from "../../src/models/mlp.ts";
import { trainingPass } from "../../src/nn/pass.ts";
import { crossEntropy } from "../../src/ops/cross-entropy.ts";
import { createGroup } from "../../src/optim/group.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import { presets } from "../../src/precision/presets.ts";
import type { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import { item } from "../../src/tensor/tensor.ts";
import { classBatches, sizes } from "../peers/protocol.ts";

/** A fresh perceptron under Adam in float32; each call is a step and gives its loss. */
export async function mlpTraining(device: Device): Promise<() => Promise<number>> {
  const { batch, widths, lr } = sizes.mlp;
  const model = mlp(device, widths, 1);
  const group = await createGroup({
    optimizer: optimizers.adamw,
    options: { lr, weightDecay: 0 },
    precision: { weight: null, gradient: null, moment: { first: null, second: null } },
    parameters: model.parameters,
    seed: 1,
  });
  const batches = classBatches(8, batch, widths[0], 7);
  let t = 0;
  return () =>
    device.step(async () => {
      const { x, y } = batches[t++ % batches.length];
      const pass = trainingPass(presets.fp32, 0, 1, t);
      const logits = model.logits(device.tensor(x, [batch, widths[0]]), pass);
      const loss = crossEntropy(logits, device.tensor(y, [batch]));
      group.step(backward(loss), { t, lrFactor: 1 });
      return item(loss);
    });
}
