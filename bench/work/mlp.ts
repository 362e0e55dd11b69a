/** A multi-layer perceptron to train. */
import { mlp } from "../../src/models/mlp.ts";
import type { Device } from "../../src/tensor/device.ts";
import { classBatches, sizes } from "../peers/protocol.ts";
import { classifierTraining, type ClassifierTraining } from "./classifier.ts";

/** A fresh perceptron under Adam in float32. */
export function mlpTraining(device: Device): Promise<ClassifierTraining> {
  const { batch, widths, lr } = sizes.mlp;
  return classifierTraining(device, mlp(device, widths, 1), classBatches(8, batch, widths[0], 7), lr);
}
