/**
 * Optimisers for TensorFlow.js: subclasses of `tf.Optimizer` that work with `model.compile` and `optimizer.minimize`.
 *
 * @example
 *   import * as tf from "@tensorflow/tfjs";
 *   import { optimizersFor } from "logrung/tfjs";
 *   const { Madam } = optimizersFor(tf);
 *   model.compile({ optimizer: new Madam({ lr: 0.01 }), loss: "meanSquaredError" });
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { Optimizer } from "../optim/optimizer.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { numberOf, type Options } from "../optim/options.ts";
import { ArrayOptimizer, splitSettings } from "./array-optimizer.ts";
import type { ReducingOps, SharedSettings, StartSettings } from "./array-optimizer.ts";
import { classNameOf, type ClassName } from "./class-names.ts";
import { tensorOps } from "./tfjs-ops.ts";

type Tf = typeof tfjs;
type Tensor = tfjs.Tensor;
type Variable = tfjs.Variable;

/** One optimiser of ours as TensorFlow.js knows it. */
export interface TfOptimizer extends tfjs.Optimizer {
  /** η of the next step; set it for a schedule. */
  learningRate: number;
  readonly options: Options;
  /**
   * Puts the weights to evaluate by into the variables, for rules that train with noise (LMD); nothing for others. Call
   * {@link useTrainingWeights} before training goes on.
   */
  useEvaluationWeights(): void;
  /** Puts the weights of the next training step back, with their noise: the variables {@link useEvaluationWeights} changed. */
  useTrainingWeights(): void;
}

/** @throws OptionError for options that the rule does not have. */
export type TfOptimizerClass = new (options?: Options & SharedSettings) => TfOptimizer;

/** A class for every optimiser of the registry: `Madam`, `IntegerMadam`, `LNSMadam`, `LMD`, `AdamW` and the others. */
export type TfOptimizers = {
  readonly [Name in keyof typeof optimizers as ClassName<Name>]: TfOptimizerClass;
};

/**
 * Our optimisers as subclasses of the `tf.Optimizer` of the TensorFlow.js that is given: its own, so that
 * `model.compile` recognises them. State and weights are float32, as TensorFlow.js's variables are.
 *
 * Each is registered for loading models, under its name, with `Logrung` before it where TensorFlow.js has that name.
 */
export function optimizersFor(tf: Tf): TfOptimizers {
  const ops = tensorOps(tf);
  const classes = Object.entries(optimizers).map(([name, rule]) => {
    const className = classNameOf(name);
    return [className, optimizerClass(tf, ops, registeredName(className), rule)];
  });
  return Object.fromEntries(classes) as TfOptimizers;
}

/** Names that TensorFlow.js has registered for itself. */
const TAKEN: ReadonlySet<string> = new Set(["SGD", "Adam"]);
const registeredName = (className: string): string =>
  TAKEN.has(className) ? `Logrung${className}` : className;

/** State of one variable, as variables that are not trained. */
interface Slot {
  /** The variable's name when training began: what its random numbers are a function of. */
  readonly stream: string;
  /** σ*, under {@link SCALE}, and every field. */
  readonly state: Readonly<Record<string, Variable>>;
}

/** Name of σ* among the state. */
const SCALE = "scale of the tensor";

type Named = { name: string; tensor: Tensor };

/** What {@link tfjs.Optimizer.setWeights} was given of one variable. */
interface Saved {
  readonly stream: string;
  readonly state: Record<string, Tensor>;
}

function optimizerClass(
  tf: Tf,
  ops: ReducingOps<Tensor>,
  className: string,
  rule: Optimizer,
): TfOptimizerClass {
  class LogrungOptimizer extends tf.Optimizer {
    static get className(): string {
      return className;
    }
    learningRate: number;
    private readonly arrays: ArrayOptimizer;
    private readonly settings: StartSettings;
    /** By the variables' names, in the order of their first step. */
    private readonly slots = new Map<string, Slot>();
    /** What slots to come start with, in the same order. */
    private saved: Saved[] = [];

    constructor(given: Options & SharedSettings = {}) {
      super();
      const { settings, options } = splitSettings(given);
      this.settings = settings;
      this.arrays = new ArrayOptimizer(rule, options);
      this.learningRate = numberOf(this.arrays.options, "lr");
    }

    get options(): Options {
      return { ...this.arrays.options, lr: this.learningRate };
    }

    applyGradients(given: tfjs.NamedTensorMap | Named[]): void {
      const gradients = Array.isArray(given)
        ? given.map(({ name, tensor }) => [name, tensor] as const)
        : Object.entries(given);
      const t = this.iterations + 1;
      tf.tidy(() => {
        const uniforms = this.uniforms(t);
        for (const [name, gradient] of gradients) if (gradient) this.update(name, gradient, uniforms, t);
      });
      this.incrementIterations();
    }

    useEvaluationWeights(): void {
      if (!this.arrays.materialises) return;
      tf.tidy(() => {
        const t = Math.max(1, this.iterations);
        const uniforms = this.uniforms(t);
        for (const [name, slot] of this.slots) this.place(variableOf(tf, name), slot, uniforms, t, null);
      });
    }

    useTrainingWeights(): void {
      if (!this.arrays.materialises) return;
      tf.tidy(() => {
        const t = this.iterations + 1;
        const uniforms = this.uniforms(t);
        for (const [name, slot] of this.slots) this.place(variableOf(tf, name), slot, uniforms, t, 0);
      });
    }

    private uniforms(t: number): Record<string, Tensor> {
      const numbers = Object.entries(this.arrays.uniforms(t, this.learningRate));
      return Object.fromEntries(numbers.map(([name, value]) => [name, tf.scalar(value)]));
    }

    private update(name: string, g: Tensor, uniforms: Readonly<Record<string, Tensor>>, t: number): void {
      const w = variableOf(tf, name);
      const slot = this.slots.get(name) ?? this.createSlot(name, w);
      const { [SCALE]: scale, ...fields } = slot.state;
      const next = this.arrays.step<Tensor>(ops, { w, g, scale, fields }, uniforms);
      for (const [field, value] of Object.entries(next.fields))
        if (value !== fields[field]) fields[field].assign(value); // assigning itself would dispose of it
      if (next.w) w.assign(next.w);
      else this.place(w, slot, this.uniforms(t + 1), t + 1, 0);
    }

    /** Computes a variable from its state: a sample of step t, or (null) the weights to evaluate by. */
    private place(
      variable: Variable,
      { stream, state: { [SCALE]: scale, ...fields } }: Slot,
      uniforms: Readonly<Record<string, Tensor>>,
      t: number,
      sample: number | null,
    ): void {
      const { seed } = this.settings;
      const drawn = this.arrays.noise({ name: stream, seed, t, sample: sample ?? 0 }, variable.size);
      const noise = drawn.map((values) => tf.tensor(values, variable.shape));
      const training = tf.scalar(sample === null ? 0 : 1);
      variable.assign(this.arrays.materialise<Tensor>(ops, { scale, fields }, uniforms, noise, training));
    }

    private createSlot(name: string, variable: Variable): Slot {
      const saved = this.saved.shift();
      const slot = saved ? this.restoredSlot(saved, variable) : this.freshSlot(name, variable);
      this.slots.set(name, slot);
      return slot;
    }

    private freshSlot(name: string, variable: Variable): Slot {
      const { shape } = variable;
      const initial = this.arrays.initial(name, Float32Array.from(variable.dataSync()), this.settings);
      if (initial.weights) variable.assign(tf.tensor(initial.weights, shape));
      const numbers = Object.entries({ [SCALE]: initial.scale, ...initial.numbers });
      const fresh: [string, Tensor][] = [
        ...numbers.map(([field, value]): [string, Tensor] => [field, tf.scalar(value)]),
        ...Object.entries(initial.arrays).map(([field, x]): [string, Tensor] => [field, tf.tensor(x, shape)]),
      ];
      return { stream: name, state: variablesOf(tf, fresh) };
    }

    private restoredSlot({ stream, state }: Saved, variable: Variable): Slot {
      const entries = Object.entries(state);
      const misfit = entries.find(([, { size }]) => size !== 1 && size !== variable.size);
      if (misfit) {
        throw new TypeError(
          `logrung: the state "${stream}/${misfit[0]}" is of ${misfit[1].size} numbers, ` +
            `its variable "${variable.name}" of ${variable.size}: wants the variables in the order of saving`,
        );
      }
      const kept = variablesOf(tf, entries);
      tf.dispose(state);
      return { stream, state: kept };
    }

    /** The count of steps, then the state, which goes on belonging to the optimiser. */
    override async getWeights(): Promise<Named[]> {
      const slots = [...this.slots.values(), ...this.saved];
      return [
        await this.saveIterations(),
        ...slots.flatMap(({ stream, state }) =>
          Object.entries(state).map(([field, tensor]) => ({ name: `${stream}/${field}`, tensor })),
        ),
      ];
    }

    override async setWeights(saved: Named[]): Promise<void> {
      const rest = await this.extractIterations(saved);
      this.dispose();
      const slots = new Map<string, Saved>();
      for (const { name, tensor } of rest) {
        const cut = name.lastIndexOf("/");
        const stream = name.slice(0, cut);
        const slot = slots.get(stream) ?? { stream, state: {} };
        slot.state[name.slice(cut + 1)] = tf.keep(tensor.clone());
        slots.set(stream, slot);
      }
      this.saved = [...slots.values()];
    }

    override dispose(): void {
      for (const { state } of this.slots.values()) tf.dispose(state);
      for (const { state } of this.saved) tf.dispose(state);
      this.slots.clear();
      this.saved = [];
    }

    getConfig(): tfjs.serialization.ConfigDict {
      return { ...this.options, ...this.settings };
    }

    static override fromConfig<T extends tfjs.serialization.Serializable>(
      cls: tfjs.serialization.SerializableConstructor<T>,
      config: tfjs.serialization.ConfigDict,
    ): T {
      const { customObjects: _, ...own } = config; // what loading a model adds
      return new cls(own);
    }
  }
  tf.serialization.registerClass(LogrungOptimizer);
  return LogrungOptimizer;
}

const variablesOf = (
  tf: Tf,
  entries: readonly (readonly [name: string, value: Tensor])[],
): Record<string, Variable> =>
  Object.fromEntries(entries.map(([name, value]) => [name, tf.variable(value, false)]));

/** @throws Error when the variable does not exist any more. */
function variableOf(tf: Tf, name: string): Variable {
  const variable: Variable | undefined = tf.engine().registeredVariables[name];
  if (!variable) throw new Error(`logrung: TensorFlow.js has no variable "${name}"`);
  return variable;
}
