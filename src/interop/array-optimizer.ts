/** An optimiser of ours at work on another library's arrays, everything in float32. */
import { randomBits } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import { input, uniform } from "../kernels/program.ts";
import type { Value } from "../kernels/program.ts";
import type { StatePrecision } from "../optim/fields.ts";
import type { Optimizer, TensorNumber } from "../optim/optimizer.ts";
import { numberOf, OptionError, resolveOptions, type Options } from "../optim/options.ts";
import { beforeOf, reducedName, ruleOf, stepUniforms, streamOffset, type Rule } from "../optim/rule.ts";
import { inTurn, startOf, zerosRemedy } from "../optim/start.ts";
import { updateKernel } from "../optim/update-kernel.ts";
import { factsOf, rootMeanSquare, zerosChoices, type Zeros } from "../optim/zeros.ts";
import { ArrayProgram, type ArrayOps } from "./array-program.ts";
import { randomFloats, randomFloatsBelow } from "./random-floats.ts";

const float32: StatePrecision = { weight: null, gradient: null, moment: { first: null, second: null } };

/** Reductions of whole arrays to scalars. */
export interface ReducingOps<T> extends ArrayOps<T> {
  reduce(op: "sum" | "max" | "min", x: T): T;
}

/** What one parameter starts with: numbers, and arrays of its own size. */
export interface InitialState {
  /** σ*, or the largest float32. */
  readonly scale: number;
  readonly numbers: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, Float32Array>>;
  /** Other weights than those given, where the rule starts with its own or zeros are treated. */
  readonly weights: Float32Array | null;
}

/** What initial state depends on besides the weights. */
export interface StartSettings {
  readonly seed: number;
  /** What becomes of zero weights under a multiplicative rule, which cannot move them. */
  readonly zeros: ArrayZeros;
}

export type ArrayZeros = Exclude<Zeros, "exempt">;

/** What every optimiser for another library takes beside its own options. */
export interface SharedSettings {
  /** Seed of random initial weights and noise. Default 1. */
  readonly seed?: number;
  /** Default "keep": they stay zero for ever. */
  readonly zeros?: ArrayZeros;
}

const ZEROS: readonly string[] = zerosChoices.filter((choice) => choice !== "exempt");
const isArrayZeros = (choice: unknown): choice is ArrayZeros => ZEROS.includes(String(choice));

/**
 * Tells the shared settings from a rule's own options.
 *
 * @throws OptionError for a seed that is no integer and unknown ways to treat zeros.
 */
export function splitSettings({ seed = 1, zeros = "keep", ...options }: Options & SharedSettings): {
  readonly settings: StartSettings;
  readonly options: Options;
} {
  if (!Number.isInteger(seed)) throw new OptionError(`logrung: seed is ${seed}, wants an integer`);
  if (!isArrayZeros(zeros))
    throw new OptionError(`logrung: zeros is ${JSON.stringify(zeros)}, wants one of ${ZEROS.join(", ")}`);
  return { settings: { seed, zeros }, options };
}

/** What a step reads of one parameter. */
export interface ParameterArrays<T> {
  readonly w: T;
  readonly g: T;
  readonly scale: T;
  /** Arrays and numbers of the state, by field. */
  readonly fields: Readonly<Record<string, T>>;
}

/** What a step makes of it; `w` is missing where the rule computes the weight from other fields. */
export interface SteppedArrays<T> {
  readonly w: T | null;
  readonly fields: Readonly<Record<string, T>>;
}

/** A rule with its options, ready to be run by array operations. */
export class ArrayOptimizer {
  readonly optimizer: Optimizer;
  readonly options: Options;
  private readonly rule: Rule;
  private readonly outputs: Readonly<Record<string, Value>>;
  private readonly weights: WeightProgram | null;

  /** @throws OptionError for options that the optimiser does not have. */
  constructor(optimizer: Optimizer, options: Options) {
    this.optimizer = optimizer;
    this.options = resolveOptions(`optimiser ${optimizer.name}`, optimizer.options, options);
    this.rule = ruleOf(optimizer, this.options, float32, false);
    const { outputs } = updateKernel(this.rule);
    this.outputs = Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
    this.weights = weightProgram(this.rule);
  }

  /** Whether the weight is computed anew before every forward pass. */
  get materialises(): boolean {
    return this.weights !== null;
  }

  /** @param name  of the parameter: with the seed, what random initial weights are a function of. */
  initial(name: string, given: Float32Array, { seed, zeros }: StartSettings): InitialState {
    const { rule } = this;
    const facts = factsOf(given);
    const remedy = zerosRemedy(rule, name, facts, zeros, seed);
    const rms = rootMeanSquare(remedy ? factsOf(given, remedy) : facts);
    const { top: scale, change: own } = startOf(rule, name, rms, seed);
    const change = inTurn(remedy, own);
    const values = change ? given.map(change) : given;
    const numbers: Record<string, number> = {};
    const arrays: Record<string, Float32Array> = {};
    for (const { name: field, field: kind } of rule.fields) {
      if (kind.role === "number") numbers[field] = kind.init({ rms, scale });
      else
        arrays[field] =
          kind.role === "part" ? values.map((w) => kind.init(w, rms)) : new Float32Array(given.length);
    }
    return { scale: numbers.scale ?? scale, numbers, arrays, weights: change ? values : null };
  }

  /** Numbers of step t ≥ 1; they change from step to step, and nothing else does. */
  uniforms(t: number, lr: number = numberOf(this.options, "lr")): Record<string, number> {
    return { ...stepUniforms(this.rule, lr, t), gain: 1 };
  }

  step<T>(
    ops: ReducingOps<T>,
    { w, g, scale, fields }: ParameterArrays<T>,
    uniforms: Readonly<Record<string, T>>,
  ): SteppedArrays<T> {
    const base = { w, g, scale, ...fields };
    const numbers = this.numbers(ops, base, uniforms);
    const program = new ArrayProgram(ops, { inputs: { ...base, ...numbers }, uniforms });
    const next: Record<string, T> = {};
    let weight: T | null = null;
    for (const [name, value] of Object.entries(this.outputs)) {
      if (name === "w") weight = program.evaluate(value);
      else next[name] = program.evaluate(value);
    }
    for (const { name, field } of this.rule.fields) if (field.role === "number") next[name] = numbers[name];
    return { w: weight, fields: next };
  }

  /** Reductions of this step, and every number before and after it. */
  private numbers<T>(
    ops: ReducingOps<T>,
    base: Readonly<Record<string, T>>,
    uniforms: Readonly<Record<string, T>>,
  ): Record<string, T> {
    const { optimizer, options, rule } = this;
    const program = new ArrayProgram(ops, { inputs: base, uniforms });
    const w = input("w", "f32");
    const plain = input("g", "f32");
    const g = optimizer.gradient?.({ w, g: plain, uniform: uniformValue }, rule.variant) ?? plain;
    const found: Record<string, T> = {};
    for (const [name, { op, value }] of Object.entries(optimizer.reductions?.(options) ?? {}))
      found[reducedName(name)] = ops.reduce(op, program.evaluate(value({ w, g, uniform: uniformValue })));
    const next = new ArrayProgram(ops, { inputs: { ...base, ...found }, uniforms });
    for (const { name, field } of rule.fields) {
      if (field.role !== "number") continue;
      const reduced = (which: string): Value => input(reducedName(which), "f32");
      const value = (field as TensorNumber).next({
        before: input(name, "f32"),
        reduced,
        uniform: uniformValue,
      });
      found[beforeOf(name)] = base[name];
      found[name] = next.evaluate(value);
    }
    return found;
  }

  /**
   * The random numbers of one forward pass, in the order that {@link materialise} takes them: drawn from
   * (seed, parameter, step, sample) alone, the same bits as everywhere in this package.
   */
  noise({ name, seed, t, sample }: Draw, size: number): Float32Array[] {
    const { floats = [], streams = [] } = this.weights ?? {};
    const [own0, own1] = streamKey(seed, name, t, `weights of sample ${sample}`);
    const words = streams.map((stream) => {
      const key = (own0 + streamOffset(stream)) >>> 0;
      return [
        bitsName(stream),
        Uint32Array.from({ length: size }, (_, i) => randomBits(i, key, own1)),
      ] as const;
    });
    return floats.map((value) => randomFloats(value, Object.fromEntries(words)));
  }

  /**
   * The weight of a forward pass, for rules that materialise it.
   *
   * @param noise    the arrays of {@link noise}, in the shape of the weight; where `training` is 0 their values are without effect.
   * @param training  1, or 0 for the weights to evaluate by.
   */
  materialise<T>(
    ops: ArrayOps<T>,
    { scale, fields }: Omit<ParameterArrays<T>, "w" | "g">,
    uniforms: Readonly<Record<string, T>>,
    noise: readonly T[],
    training: T,
  ): T {
    const { weights, optimizer } = this;
    if (!weights) throw new TypeError(`logrung: ${optimizer.name} keeps the weight itself`);
    const bindings = {
      inputs: { scale, ...fields },
      uniforms: { ...uniforms, noise: training },
      known: new Map(weights.floats.map((value, i) => [value, noise[i]])),
    };
    return new ArrayProgram(ops, bindings).evaluate(weights.value);
  }
}

/** What the random numbers of a forward pass are a function of. */
export interface Draw {
  /** Of the parameter. */
  readonly name: string;
  readonly seed: number;
  readonly t: number;
  readonly sample: number;
}

/** The program of weights that are computed anew before every forward pass. */
interface WeightProgram {
  readonly value: Value;
  readonly streams: readonly number[];
  /** The random numbers in it. */
  readonly floats: readonly Value[];
}

function weightProgram({ optimizer, variant }: Rule): WeightProgram | null {
  const streams: number[] = [];
  const value = optimizer.materialise?.(
    {
      part: (name) => input(name, "f32"),
      scale: input("scale", "f32"),
      bits: (stream) => {
        streams.push(stream);
        return input(bitsName(stream), "u32");
      },
      noise: uniformValue("noise"),
      uniform: uniformValue,
    },
    variant,
  );
  return value ? { value, streams, floats: randomFloatsBelow(value) } : null;
}

const bitsName = (stream: number): string => `bits ${stream}`;
const uniformValue = (name: string): Value => uniform("f32", name);
