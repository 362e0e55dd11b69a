/** An output layer and its cross entropy to time: logits whole, and in chunks of rows. */
import { linearCrossEntropy } from "../../src/ops/linear-cross-entropy.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import { item, type Tensor } from "../../src/tensor/tensor.ts";
import { normals } from "../peers/protocol.ts";

/** Sizes of a layer, and the rows of a batch. */
export interface OutputSizes {
  readonly rows: number;
  readonly width: number;
  readonly classes: number;
}

/** By the recipe that they are of. */
export const outputs = {
  "shakespeare-gpt2-bpe": { rows: 1024, width: 128, classes: 50_257 },
  "wikitext2-transformer": { rows: 700, width: 200, classes: 33_278 },
} as const satisfies Record<string, OutputSizes>;

/** A layer and its batch, kept. */
export function outputLayer(device: Device, { rows, width, classes }: OutputSizes) {
  const kept = (seed: number, shape: readonly [number, number], size: number): Tensor => {
    const values = normals(seed, shape[0] * shape[1]).map((value) => value * size);
    return { ...device.keep(device.tensor(values, shape)), tracked: true };
  };
  const targets = Int32Array.from({ length: rows }, (_, i) => (i * 977) % classes);
  return {
    x: kept(1, [rows, width], 1),
    w: kept(2, [classes, width], width ** -0.5), // logits of a model that learns: about normal
    targets: device.keep(device.tensor(targets, [rows])),
  };
}

const float32 = { policy: parsePolicy("fp32"), key: () => [1, 2] as const };

/** Loss and gradients in float32. @param chunk  rows at once; all of them: the two operations one after the other. */
export const lossAndGradients =
  (device: Device, { x, w, targets }: ReturnType<typeof outputLayer>, chunk: number) =>
  (): Promise<void> =>
    device.step(async () => {
      const loss = linearCrossEntropy(x, w, null, targets, float32, { chunk });
      backward(loss);
      await item(loss);
    });
