/** What the optimisers in other libraries are held against: our own groups on the wasm backend. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import type { Backend } from "../../src/kernels/backend.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { createGroup } from "../../src/optim/group.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Options } from "../../src/optim/options.ts";
import { normal } from "../../src/random/normal.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { readValues } from "../../src/tensor/tensor.ts";

export const STEPS = 50;
export const shapes = [[4, 6], [5]] as const;
const sizes = shapes.map((shape) => shape.reduce<number>((product, size) => product * size, 1));
const drawn = (size: number, key: readonly [number, number], scale: (i: number) => number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => normal(key, i) * scale(i));

/** Initial weights of two tensors. */
export const starts = sizes.map((size, place) => drawn(size, [5, place], () => 1));
/** Recorded gradients of step t, from 1/8 to 8 in size. */
export const gradientsAt = (t: number): Float32Array[] =>
  sizes.map((size, place) => drawn(size, [t, 77 + place], (i) => 2 ** ((i % 7) - 3)));
/** A schedule: the second half goes at half the pace. */
export const lrFactorAt = (t: number): number => (t <= STEPS / 2 ? 1 : 0.5);

export interface Case {
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly options: Options;
}

/** Every optimiser of the registry with its defaults, with each choice it offers, and with other numbers. */
export const cases: Case[] = Object.values(optimizers).flatMap((optimizer: Optimizer) => {
  const choices = Object.entries(optimizer.options).flatMap(([key, option]): Options[] =>
    option.type === "choice"
      ? option.choices.filter((choice) => choice !== option.default).map((choice) => ({ [key]: choice }))
      : [],
  );
  const numbers: Options[] = [
    ...("weightDecay" in optimizer.options ? [{ weightDecay: 0.05 }] : []),
    ...("momentum" in optimizer.options ? [{ momentum: 0.8 }] : []),
  ];
  return [{}, ...choices, ...numbers].map((options) => ({ name: optimizer.name, optimizer, options }));
});

/** Weights after the last step: those of the next forward pass, and those to evaluate by. */
export interface Outcome {
  readonly training: readonly (readonly number[])[];
  readonly evaluation: readonly (readonly number[])[];
}

let open: Promise<Backend> | undefined;
const wasm = (): Promise<Backend> => (open ??= createWasmBackend({ threads: 1 }));

/** Closes the backend that all outcomes are computed on. */
export async function closeOurs(): Promise<void> {
  await (await open)?.close();
}

/** @param names  of the two tensors: noise is a function of them. */
export async function ourOutcome({ optimizer, options }: Case, names: readonly string[]): Promise<Outcome> {
  const backend = await wasm();
  const device = new Device(backend);
  const parameters = starts.map((values, place): Parameter => {
    const tensor = { ...device.tensor(values, shapes[place]), tracked: true };
    return { name: names[place], kind: "matrix", tensor };
  });
  const precision = { weight: null, gradient: null, moment: { first: null, second: null } };
  const group = await createGroup({ optimizer, options, precision, parameters, seed: 1 });
  for (let t = 1; t <= STEPS; t++) {
    await device.step(() => {
      // Another library's first forward pass sees the weights that it made itself: the mean, without noise.
      group.materialise({ t, lrFactor: lrFactorAt(t), sample: t === 1 ? null : 0 });
      const given = gradientsAt(t).map((g, place) => device.tensor(g, shapes[place]));
      group.step(new Map(parameters.map(({ tensor }, place) => [tensor, given[place]])), {
        t,
        lrFactor: lrFactorAt(t),
      });
    });
  }
  const read = (sample: number | null): Promise<number[][]> =>
    device.step(async () => {
      group.materialise({ t: STEPS + 1, lrFactor: 1, sample });
      return Promise.all(parameters.map(async ({ tensor }) => Array.from(await readValues(tensor))));
    });
  return { training: await read(0), evaluation: await read(null) };
}

/**
 * The largest difference of two sets of tensors, relative to the value, or to a hundredth of the tensor's mean size. Weights
 * of rules that materialise them are differences of two numbers, each of the tensor's size, and judged by that.
 */
export function distance(
  { optimizer }: Case,
  values: readonly ArrayLike<number>[],
  expected: readonly (readonly number[])[],
): number {
  const each = expected.flatMap((tensor, place) => {
    const size = tensor.reduce((sum, x) => sum + Math.abs(x), 0) / tensor.length;
    const least = optimizer.materialise ? size : size / 100;
    return tensor.map((x, i) => Math.abs(values[place][i] - x) / Math.max(Math.abs(x), least));
  });
  return each.every((x) => x >= 0) ? Math.max(...each) : NaN;
}
