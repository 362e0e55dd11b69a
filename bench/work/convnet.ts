/** A convolutional network to train. */
import { convnet } from "../../src/models/convnet.ts";
import { reshape } from "../../src/ops/reshape.ts";
import type { Policy } from "../../src/precision/policy.ts";
import type { Device } from "../../src/tensor/device.ts";
import { classBatches, sizes } from "../peers/protocol.ts";
import { classifierTraining, type ClassifierTraining } from "./classifier.ts";

/** A fresh convolutional network under Adam in float32; its products' operands as the policy says, by default in float32. */
export function convnetTraining(device: Device, policy?: Policy): Promise<ClassifierTraining> {
  const { batch, size, channels, classes, lr } = sizes.convnet;
  const [colours, ...widths] = channels;
  const task = { height: size, width: size, channels: colours, classes };
  const { parameters, logits } = convnet(device, task, widths, 1);
  const batches = classBatches(8, batch, size * size * colours, 11);
  return classifierTraining(
    device,
    {
      parameters,
      logits: (x, pass) => logits(reshape(x, [batch * size * size, colours]), batch, pass),
    },
    batches,
    lr,
    policy,
  );
}
