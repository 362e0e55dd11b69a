/** An exponential moving average of weights, in float32 or in codes, for evaluation. */
import { format as formatOf } from "../formats/index.ts";
import { decodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { index, type StorageType, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { weylPhase } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import type { TensorCall } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { FLOAT32, isCoded, readValues, sizeOf, storageType, type Tensor } from "../tensor/tensor.ts";
import { unpacked } from "../ops/pack.ts";
import { checkSign } from "./fields.ts";
import { encodeAcrossZero } from "./across-zero.ts";
import { isScaled, largestOf, readHeld, type Held } from "./held.ts";
import { encodeAs } from "./store-weight.ts";
import { factsOf, rootMeanSquare } from "./zeros.ts";

export interface AverageSpec {
  readonly parameters: readonly Parameter[];
  /** β, from 0 up to below 1; 0.999 averages about the last thousand steps. */
  readonly decay: number;
  /** Format of the averages of matrices and embeddings; biases and norms keep theirs in float32. null is float32. */
  readonly precision: Held;
  readonly seed: number;
}

/** The top of an average's scale, in root mean squares of the initial weights. */
const TOP = 16;

interface Entry {
  readonly parameter: Parameter;
  readonly average: Tensor;
  readonly held: Held;
}

/** Averages of some parameters. Build with {@link createAverage}. */
export class WeightAverage {
  private readonly spec: AverageSpec;
  private readonly entries: readonly Entry[];
  private readonly kernels = new Map<string, PointwiseKernel>();

  constructor(spec: AverageSpec, entries: readonly Entry[]) {
    this.spec = spec;
    this.entries = entries;
  }

  /**
   * After step t:  a ← a + (1-β)/(1-βᵗ) · (w - a), the exact weighted mean of the weights so far; its first value is w
   * itself.
   */
  update(t: number): void {
    const { decay, seed } = this.spec;
    const rate = (1 - decay) / (1 - decay ** t);
    const calls = new Map<PointwiseKernel, TensorCall[]>();
    const copies: Tensor[] = [];
    for (const { parameter, average, held } of this.entries) {
      const tensor = unpacked(parameter.tensor);
      if (tensor !== parameter.tensor) copies.push(tensor);
      const [key0, key1] = streamKey(seed, parameter.name, 0, "average rounding");
      const kernel = this.kernelOf(tensor, held);
      const scales = {
        ...(isCoded(tensor) ? { wScale: tensor.encoding.scale } : {}),
        ...(isCoded(average) ? { aScale: average.encoding.scale } : {}),
      };
      const call: TensorCall = {
        inputs: { w: tensor, a: average, ...scales },
        outputs: {},
        uniforms: { rate, key0, key1, phase: weylPhase(t) },
        sizes: { rows: 1, columns: sizeOf(tensor.shape) },
      };
      calls.set(kernel, [...(calls.get(kernel) ?? []), call]);
    }
    for (const [kernel, list] of calls) this.entries[0].parameter.tensor.device.runAll(kernel, list);
    for (const copy of copies) copy.device.free(copy);
  }

  /** Runs `body` with the averages in the place of the weights. */
  async during<T>(body: () => Promise<T>): Promise<T> {
    const weights = this.entries.map(({ parameter }) => parameter.tensor);
    for (const { parameter, average } of this.entries) parameter.tensor = average;
    try {
      return await body();
    } finally {
      this.entries.forEach(({ parameter }, i) => (parameter.tensor = weights[i]));
    }
  }

  /** What a checkpoint keeps, by name. */
  tensors(): Record<string, Tensor> {
    const all: Record<string, Tensor> = {};
    for (const { parameter, average } of this.entries) {
      all[`${parameter.name}.average`] = average;
      if (isCoded(average)) all[`${parameter.name}.average.scale`] = average.encoding.scale;
    }
    return all;
  }

  private kernelOf(weight: Tensor, held: Held): PointwiseKernel {
    const coded = isCoded(weight) ? weight.encoding.format : null;
    const name = `average ${coded?.name ?? "float32"} in ${held?.format ?? "float32"}`;
    const known = this.kernels.get(name);
    if (known) return known;
    const storage: StorageType = held ? (formatOf(held.format).bits <= 8 ? "u8" : "u16") : "f32";
    const inputs = {
      w: element(storageType(weight.encoding)),
      a: element(storage),
      ...(coded ? { wScale: scalar("f32") } : {}),
      ...(held ? { aScale: scalar("f32") } : {}),
    };
    const uniforms = { rate: "f32", key0: "u32", key1: "u32", phase: "u32" } as const;
    const kernel = pointwise(name, inputs, uniforms, (values) => {
      const scope = values as Readonly<Record<string, Value>>;
      const w = coded ? decodeValue(coded, scope.w).mul(scope.wScale) : scope.w;
      const a = held ? readHeld(held, scope.a).mul(scope.aScale) : scope.a;
      const next = w.sub(a).fma(scope.rate, a);
      const bits = randomBits(index(), scope.key0, scope.key1).add(scope.phase);
      if (!held) return { a: output(storage, next) };
      // Steps are far smaller than the lowest rung: rounded in the logarithm, an average would never leave zero.
      return {
        a: output(storage, encodeAcrossZero(formatOf(held.format), held, next.div(scope.aScale), bits)),
      };
    });
    this.kernels.set(name, kernel);
    return kernel;
  }
}

/**
 * Makes averages that start at the weights as they are.
 *
 * @throws OptionError for a format without negative values.
 */
export async function createAverage(spec: AverageSpec): Promise<WeightAverage> {
  checkSign("an average of weights", spec.precision);
  const entries: Entry[] = [];
  for (const parameter of spec.parameters) entries.push(await entryOf(parameter, spec));
  return new WeightAverage(spec, entries);
}

async function entryOf(parameter: Parameter, { precision }: AverageSpec): Promise<Entry> {
  const { tensor, kind } = parameter;
  const { device, shape } = tensor;
  const values = Float32Array.from(await readValues(tensor));
  const average = device.keep(device.tensor(values, shape, FLOAT32));
  const held = kind === "matrix" || kind === "embedding" ? precision : null;
  if (!held) return { parameter, average, held };
  const scale = device.keep(device.tensor(Float32Array.of(scaleOf(held, values)), [1]));
  return { parameter, average: encodeAs(average, held, scale), held };
}

function scaleOf(held: TensorPrecision, values: Float32Array): number {
  if (!isScaled(held)) return 1;
  const top = typeof held.scale === "number" ? held.scale : TOP * rootMeanSquare(factsOf(values));
  return (top > 0 ? top : 1) / largestOf(held);
}
