/** Backends for the suite over optimisers, and a bench that steps one parameter after another. */
import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import type { StatePrecision } from "../../../src/optim/fields.ts";
import { createGroup, type GroupSpec, type OptimizerGroup } from "../../../src/optim/group.ts";
import { Device } from "../../../src/tensor/device.ts";
import type { Parameter } from "../../../src/tensor/parameter.ts";
import { readTensor, readValues, type Tensor } from "../../../src/tensor/tensor.ts";

export const float32: StatePrecision = {
  weight: null,
  gradient: null,
  moment: { first: null, second: null },
};

export const backends: readonly { readonly name: string; open(): Promise<Backend> }[] = [
  { name: "reference", open: async () => createReferenceBackend({ precision: "float32" }) },
  { name: "wasm", open: () => createWasmBackend({ threads: 2 }) },
];

/** Some tensors under one optimiser. */
export interface Bench {
  readonly device: Device;
  readonly group: OptimizerGroup;
  readonly parameters: readonly Parameter[];
  /** Steps on given gradients, materialising weights first where the rule does. */
  step(gradients: readonly ArrayLike<number>[], t: number, lrFactor?: number): Promise<void>;
  values(): Promise<number[][]>;
  /** What lies in memory for each weight; nothing where a rule computes the weights. */
  codes(): Promise<number[][]>;
  /** All state as plain numbers, by name. */
  state(): Promise<Record<string, number[]>>;
}

/** What a bench is made of: initial values by shape, and a group's settings. */
export interface BenchSpec extends Omit<GroupSpec, "parameters" | "seed" | "precision"> {
  readonly precision?: StatePrecision;
  readonly tensors: readonly { readonly shape: readonly number[]; readonly values: ArrayLike<number> }[];
  readonly seed?: number;
}

const numbers = async (tensor: Tensor): Promise<number[]> => Array.from(await readTensor(tensor), Number);

/** Prepares a bench on a backend; its caller closes the backend. */
export async function prepare(backend: Backend, spec: BenchSpec): Promise<Bench> {
  const device = new Device(backend);
  const parameters = spec.tensors.map(({ shape, values }, i): Parameter => {
    const tensor = { ...device.tensor(Float32Array.from(values), shape), tracked: true };
    return { name: `w${i}`, kind: "matrix", tensor };
  });
  const group = await createGroup({ precision: float32, seed: 1, ...spec, parameters });
  const all = () => parameters.map(({ tensor }) => tensor);
  const kept = () => (group.materialises ? [] : all());
  return {
    device,
    group,
    parameters,
    step: (gradients, t, lrFactor = 1) =>
      device.step(() => {
        group.materialise({ t, lrFactor, sample: 0 });
        const entries = parameters.map(
          ({ tensor }, i) => [tensor, device.tensor(Float32Array.from(gradients[i]), tensor.shape)] as const,
        );
        group.step(new Map(entries), { t, lrFactor });
      }),
    values: () =>
      device.step(async () => {
        group.materialise({ t: 1, lrFactor: 1, sample: null });
        const read: number[][] = [];
        for (const tensor of all()) read.push(Array.from(await readValues(tensor)));
        return read;
      }),
    codes: () => Promise.all(kept().map(numbers)),
    state: async () => {
      const read: Record<string, number[]> = {};
      for (const [name, tensor] of Object.entries(group.tensors())) read[name] = await numbers(tensor);
      return read;
    },
  };
}
