/** Steps of an optimiser alone, on one big tensor, and copies of as many bytes. */
import { pointwise } from "../../src/kernels/pointwise.ts";
import { element, output } from "../../src/kernels/signature.ts";
import type { StatePrecision } from "../../src/optim/fields.ts";
import { createGroup } from "../../src/optim/group.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Options } from "../../src/optim/options.ts";
import { presets } from "../../src/precision/presets.ts";
import type { Device } from "../../src/tensor/device.ts";
import { elementBytes, FLOAT32, sizeOf, type Tensor } from "../../src/tensor/tensor.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { normals, sizes } from "../peers/protocol.ts";

/** An optimiser under some formats. */
export interface OptimizerCase {
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly precision: StatePrecision;
  /** Whether all of it lies in codes of at most 8 bits. */
  readonly coded: boolean;
}

const { state8, lmd8 } = presets;
const inFloat32: StatePrecision = {
  weight: null,
  gradient: null,
  moment: { first: null, second: null },
};
/**
 * Three bytes of state at most: the weight and two moments; four where two parts stand in the weight's place. The gradient
 * comes from the backward pass, in float32.
 */
const inCodes = ({ materialise }: Optimizer): StatePrecision => {
  const { update, moment } = materialise ? lmd8 : state8;
  return { weight: update, gradient: null, moment };
};

/** What each is timed with: as published, with the momentum that most runs use. */
const options: Readonly<Record<string, Options>> = {
  adamw: { lr: sizes.adam.lr, weightDecay: 0 },
  "integer-madam": { lr: 0.05, beta: 0.99, momentum: 0.9 },
  "lns-madam": { lr: 0.05, beta: 0.99, momentum: 0.9 },
  madam: { lr: 0.05, beta: 0.99, momentum: 0.9 },
  signsgd: { momentum: 0.9 },
};

export const adamw: OptimizerCase = {
  name: "adamw float32",
  optimizer: optimizers.adamw,
  options: options.adamw,
  precision: inFloat32,
  coded: false,
};

const caseOf = (optimizer: Optimizer, coded: boolean): OptimizerCase => ({
  name: `${optimizer.name} ${coded ? "8-bit" : "float32"}`,
  optimizer,
  options: options[optimizer.name] ?? {},
  precision: coded ? inCodes(optimizer) : inFloat32,
  coded,
});

/** AdamW first, then every other optimiser, in float32 and in codes; LNS-Madam also as published, without momentum. */
export const cases: readonly OptimizerCase[] = [
  adamw,
  ...Object.values(optimizers as Record<string, Optimizer>).flatMap((optimizer) =>
    [false, true].map((coded) => caseOf(optimizer, coded)).filter(({ name }) => name !== adamw.name),
  ),
  {
    ...caseOf(optimizers["lns-madam"], true),
    name: "lns-madam 8-bit, no momentum",
    options: { lr: 0.05, beta: 0.99 },
  },
];

const SHAPE = [sizes.adam.parameters / 2000, 2000];

/** A gradient for all cases. */
export const gradientOf = (device: Device): Tensor =>
  device.tensor(repeated(normals(3, 1 << 16, 1e-2)), SHAPE);

/** A case ready to be timed. */
export interface OptimizerWork {
  /** One step; the next call is the next step. */
  readonly step: () => void;
  /** Bytes of weight and state a parameter. */
  readonly stateBytes: number;
  /**
   * Bytes read and written a parameter and step: state both ways, the gradient once; where the weight is computed, what it
   * is computed from once more, and the weight both ways.
   */
  readonly movedBytes: number;
  /** Gives the memory back. */
  free(): void;
}

/** A fresh parameter under an optimiser. */
export async function optimizerStep(
  device: Device,
  { optimizer, options: given, precision }: OptimizerCase,
  gradient: Tensor,
): Promise<OptimizerWork> {
  const tensor = device.empty(SHAPE, FLOAT32, true);
  device.backend.write(tensor.storage.slice(), repeated(normals(4, 1 << 16, 0.05)));
  const parameter: Parameter = { name: "weight", kind: "matrix", tensor };
  const group = await createGroup({ optimizer, options: given, precision, parameters: [parameter], seed: 1 });
  const { state } = group.slots[0];
  const fields = optimizer.state(group.options);
  const parts = Object.entries(state).flatMap(([name, field]) =>
    fields[name]?.role === "part" ? [field] : [],
  );
  const kept = [...(group.materialises ? [] : [parameter.tensor]), ...Object.values(state)];
  // A number or two a tensor are no part of a parameter.
  const bytesOf = (tensors: readonly Tensor[]): number =>
    Math.round(
      (1000 * tensors.reduce((sum, { encoding, shape }) => sum + elementBytes(encoding, shape), 0)) /
        sizeOf(SHAPE),
    ) / 1000;
  const stateBytes = bytesOf(kept);
  let t = 0;
  return {
    step: () => {
      t++;
      group.materialise({ t, lrFactor: 1, sample: 0 });
      group.step(new Map([[parameter.tensor, gradient]]), { t, lrFactor: 1 });
      if (group.materialises) device.free(parameter.tensor);
    },
    stateBytes,
    movedBytes: 2 * stateBytes + 4 + (group.materialises ? bytesOf(parts) + 8 : 0),
    free: () => {
      for (const each of kept) device.free(each);
    },
  };
}

const copyKernel = pointwise("copy", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x) }));

/** A copy that reads and writes, together, as many bytes as a step of so many bytes a parameter. */
export function copyOf(device: Device, movedBytes: number): { readonly copy: () => void; free(): void } {
  const columns = Math.ceil((sizes.adam.parameters * movedBytes) / 8);
  const [x, y] = [device.empty([columns]), device.empty([columns])];
  device.backend.write(x.storage.slice(), new Float32Array(columns).fill(1));
  const call = { inputs: { x }, outputs: { y }, sizes: { rows: 1, columns } };
  return {
    copy: () => device.run(copyKernel, call),
    free: () => {
      device.free(x);
      device.free(y);
    },
  };
}

/** Numbers over and over, as many as there are parameters: drawing ten million takes a second each time. */
function repeated(values: Float32Array): Float32Array {
  const { parameters } = sizes.adam;
  const all = new Float32Array(parameters);
  for (let at = 0; at < parameters; at += values.length)
    all.set(values.subarray(0, Math.min(values.length, parameters - at)), at);
  return all;
}
