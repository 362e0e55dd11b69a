/** Steps of an optimiser alone, on one big tensor. */
import { createGroup } from "../../src/optim/group.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Options } from "../../src/optim/options.ts";
import type { StatePrecision } from "../../src/optim/fields.ts";
import { presets } from "../../src/precision/presets.ts";
import type { Device } from "../../src/tensor/device.ts";
import { FLOAT32, type Tensor } from "../../src/tensor/tensor.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { normals, sizes } from "../peers/protocol.ts";

interface OptimizerCase {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly precision: StatePrecision;
  /** Bytes read and written a parameter and step. */
  readonly bytes: number;
}

const { state8 } = presets;
const onCodes = { weight: state8.update, gradient: null, moment: state8.moment };

/** Weight and state are read and written, the gradient is read. */
export const cases = {
  "AdamW float32": {
    optimizer: optimizers.adamw,
    options: { lr: sizes.adam.lr, weightDecay: 0 },
    precision: { weight: null, gradient: null, moment: { first: null, second: null } },
    bytes: 3 * 8 + 4,
  },
  "LNS-Madam 8-bit, no momentum": {
    optimizer: optimizers["lns-madam"],
    options: { lr: 0.05, beta: 0.99 },
    precision: onCodes,
    bytes: 2 * 2 + 4,
  },
  "LNS-Madam 8-bit, 8-bit momentum": {
    optimizer: optimizers["lns-madam"],
    options: { lr: 0.05, beta: 0.99, momentum: 0.9 },
    precision: onCodes,
    bytes: 3 * 2 + 4,
  },
} as const satisfies Record<string, OptimizerCase>;
export type OptimizerCaseName = keyof typeof cases;

const SHAPE = [sizes.adam.parameters / 2000, 2000];

/** A gradient for all cases. */
export const gradientOf = (device: Device): Tensor =>
  device.tensor(repeated(normals(3, 1 << 16, 1e-2)), SHAPE);

/** A fresh parameter under an optimiser; each call is a step. */
export async function optimizerStep(
  device: Device,
  name: OptimizerCaseName,
  gradient: Tensor,
): Promise<() => void> {
  const { optimizer, options, precision } = cases[name];
  const tensor = device.empty(SHAPE, FLOAT32, true);
  device.backend.write(tensor.storage.slice(), repeated(normals(4, 1 << 16, 0.05)));
  const parameter: Parameter = { name: "weight", kind: "matrix", tensor };
  const group = await createGroup({ optimizer, options, precision, parameters: [parameter], seed: 1 });
  const gradients = new Map([[parameter.tensor, gradient]]);
  let t = 0;
  return () => group.step(gradients, { t: ++t, lrFactor: 1 });
}

/** Numbers over and over, as many as there are parameters: drawing ten million takes a second each time. */
function repeated(values: Float32Array): Float32Array {
  return Float32Array.from({ length: sizes.adam.parameters }, (_, i) => values[i % values.length]);
}
