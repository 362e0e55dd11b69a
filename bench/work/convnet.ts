/** A convolutional network to train. */
import { ParameterSet } from "../../src/nn/parameter-set.ts";
import { precisionAt, type Pass } from "../../src/nn/pass.ts";
import type { ImageShape } from "../../src/ops/conv-geometry.ts";
import { conv2d } from "../../src/ops/conv2d.ts";
import { linear } from "../../src/ops/linear.ts";
import { maxPool, poolShape } from "../../src/ops/pooling.ts";
import { relu } from "../../src/ops/relu.ts";
import { reshape } from "../../src/ops/reshape.ts";
import type { Device } from "../../src/tensor/device.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { classBatches, sizes } from "../peers/protocol.ts";
import { classifierTraining, type Classifier, type ClassifierTraining } from "./classifier.ts";

const WINDOW = { kernel: [3, 3], padding: 1 } as const;
const POOL = { kernel: [2, 2] } as const;

/** For each width: relu(3×3 convolution), 2×2 maximum pool; then a linear layer on all that is left. */
function convnet(device: Device, size: number, channels: readonly number[], classes: number): Classifier {
  const set = new ParameterSet(device, 1);
  /** The deviation is that of PyTorch's default. */
  const affine = (name: string, out: number, from: number) => ({
    name,
    weight: set.add(`${name}.weight`, [out, from], "matrix", { deviation: Math.sqrt(1 / (3 * from)) }),
    bias: set.add(`${name}.bias`, [out], "bias", { value: 0 }),
  });
  const stages = channels.slice(1).map((out, i) => affine(`stages.${i}`, out, 9 * channels[i]));
  const left = (size / 2 ** stages.length) ** 2 * channels[stages.length];
  const last = affine("head", classes, left);
  const logits = (images: Tensor, pass: Pass): Tensor => {
    const batch = images.shape[0];
    let shape: ImageShape = { batch, height: size, width: size, channels: channels[0] };
    let pixels = reshape(images, [batch * size * size, channels[0]]);
    for (const { name, weight, bias } of stages) {
      const wide = conv2d({ pixels, shape }, weight.tensor, bias.tensor, WINDOW, precisionAt(pass, name));
      const active = relu(wide.pixels);
      device.tape.discard(wide.pixels);
      pixels = maxPool(active, wide.shape, POOL);
      shape = poolShape(wide.shape, POOL);
    }
    const flat = reshape(pixels, [batch, left]);
    return linear(flat, last.weight.tensor, last.bias.tensor, precisionAt(pass, last.name));
  };
  return { parameters: set.list, logits };
}

/** A fresh convolutional network under Adam in float32. */
export function convnetTraining(device: Device): Promise<ClassifierTraining> {
  const { batch, size, channels, classes, lr } = sizes.convnet;
  const batches = classBatches(8, batch, size * size * channels[0], 11);
  return classifierTraining(device, convnet(device, size, channels, classes), batches, lr);
}
