/**
 * Optimisers for jax-js as optax has them: pairs of pure functions `init` and `update`.
 *
 * @example
 *   import * as jax from "@jax-js/jax";
 *   import { transformationsFor } from "logrung/jax";
 *   const { madam } = transformationsFor(jax);
 *   const solver = madam({ lr: 0.01 });
 *   let state = solver.init(jax.tree.ref(params));
 *   [updates, state] = solver.update(gradients, state, jax.tree.ref(params));
 *   params = jax.tree.map(jax.numpy.add, params, updates);
 */
import type * as jaxjs from "@jax-js/jax";
import type { Optimizer } from "../optim/optimizer.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { numberOf, type Options } from "../optim/options.ts";
import { ArrayOptimizer, splitSettings, type SharedSettings } from "./array-optimizer.ts";
import { functionNameOf, type FunctionName } from "./class-names.ts";
import { Borrowing } from "./jax-ops.ts";

type Jax = typeof jaxjs;
type Arr = jaxjs.numpy.Array;
type Tree = jaxjs.JsTree<Arr>;

/** What changes from step to step besides the state: all optional. */
export interface UpdateSettings {
  /** η of this step, for schedules. Default: the option `lr`. */
  readonly lr?: number;
}

/** An optax-style gradient transformation. Arrays are consumed, as everywhere in jax-js: pass `tree.ref(x)` to keep x. */
export interface GradientTransformation {
  init(params: Tree): Tree;
  /** @returns what is to be added to the parameters, and the next state. */
  update<P extends Tree>(gradients: P, state: Tree, params: P, settings?: UpdateSettings): [P, Tree];
  /**
   * The parameters to evaluate by: for rules that train with noise (LMD) without it, else the parameters themselves.
   */
  evaluationParams<P extends Tree>(state: Tree, params: P): P;
}

/** @throws OptionError for options that the rule does not have. */
export type MakeTransformation = (options?: Options & SharedSettings) => GradientTransformation;

/** Makers of transformations, one for every optimiser of the registry: `madam`, `integerMadam`, `lmd` and the others. */
export type Transformations = {
  readonly [Name in keyof typeof optimizers as FunctionName<Name>]: MakeTransformation;
};

/**
 * Our optimisers as transformations over the arrays of the jax-js that is given. State and weights are float32; the
 * arithmetic of a step is compiled once for each shape by `jit`, since what changes from step to step are its arguments.
 * `update` reads the number of the step, so it is not to be called inside a `jit` of yours.
 */
export function transformationsFor(jax: Jax): Transformations {
  const makers = Object.entries(optimizers).map(([name, rule]): [string, MakeTransformation] => [
    functionNameOf(name),
    (given) => transformation(jax, rule, given ?? {}),
  ]);
  return Object.fromEntries(makers) as Transformations;
}

/** State of one leaf: the same tree in every step. */
type Leaf = Record<string, Arr>;

interface State {
  /** Steps taken. */
  readonly count: Arr;
  readonly leaves: Leaf[];
}

const isState = (state: Tree): state is Tree & State =>
  typeof state === "object" && state !== null && "count" in state && "leaves" in state;

function stateOf(state: Tree): State {
  if (isState(state)) return state;
  throw new TypeError("logrung: this state is not one that this transformation's init made");
}

/** Name of σ* among the arrays of a leaf. */
const SCALE = "scale of the tensor";

function transformation(jax: Jax, rule: Optimizer, given: Options & SharedSettings): GradientTransformation {
  const { numpy: np, tree } = jax;
  const { settings, options } = splitSettings(given);
  const arrays = new ArrayOptimizer(rule, options);
  const { step, draw } = compiled(jax, arrays);
  const uniformsAt = (t: number, lr = numberOf(arrays.options, "lr")): Leaf =>
    scalarsOf(jax, arrays.uniforms(t, lr));
  const start = (w: Arr, place: number) =>
    arrays.initial(streamOf(place), Float32Array.from(w.dataSync()), settings);

  /** The weight of one leaf at step t from its state; without noise where `sample` is null. Borrows all arrays. */
  function drawn(leaf: Leaf, w: Arr, place: number, t: number, sample: number | null, uniforms: Leaf): Arr {
    const { seed } = settings;
    const noise = arrays
      .noise({ name: streamOf(place), seed, t, sample: sample ?? 0 }, w.size)
      .map((values) => arrayOf(jax, values).reshape(w.shape));
    return draw(tree.ref(leaf), tree.ref(uniforms), noise, np.array(sample === null ? 0 : 1));
  }

  function init(params: Tree): Tree {
    const leaves = tree.leaves(params).map((w, place): Leaf => {
      const { shape } = w;
      const { scale, numbers, arrays: state } = start(w, place);
      const fields = Object.entries(state).map(([name, x]) => [name, arrayOf(jax, x).reshape(shape)]);
      return { ...scalarsOf(jax, { [SCALE]: scale, ...numbers }), ...Object.fromEntries(fields) };
    });
    return { count: np.array(0), leaves };
  }

  function update<P extends Tree>(
    gradients: P,
    state: Tree,
    params: P,
    { lr }: UpdateSettings = {},
  ): [P, Tree] {
    const { count, leaves } = stateOf(state);
    const t = count.item() + 1;
    const [weights, structure] = tree.flatten(params);
    const slopes = tree.leaves(gradients);
    checkLengths(weights.length, slopes.length, leaves.length);
    const uniforms = uniformsAt(t, lr);
    const later = uniformsAt(t + 1, lr);
    const next = weights.map((from, place): [change: Arr, Leaf] => {
      const first = t === 1 ? start(from.ref, place).weights : null;
      const w = first ? arrayOf(jax, first).reshape(from.shape) : from.ref;
      const [to, leaf] = step(w, slopes[place], leaves[place], tree.ref(uniforms));
      if (!arrays.materialises) return [np.subtract(to, from), leaf];
      to.dispose();
      return [np.subtract(drawn(leaf, from, place, t + 1, 0, later), from), leaf];
    });
    tree.dispose([uniforms, later]);
    const updates = tree.unflatten(
      structure,
      next.map(([change]) => change),
    );
    return [updates as P, { count: np.array(t), leaves: next.map(([, leaf]) => leaf) }];
  }

  function evaluationParams<P extends Tree>(state: Tree, params: P): P {
    const { count, leaves } = stateOf(state);
    const t = count.item();
    const uniforms = uniformsAt(Math.max(1, t));
    const [weights, structure] = tree.flatten(params);
    const values = weights.map((w, place) => {
      if (!arrays.materialises) return w;
      const value = drawn(leaves[place], w, place, t, null, uniforms);
      w.dispose();
      return value;
    });
    tree.dispose([uniforms, leaves]);
    return tree.unflatten(structure, values) as P;
  }

  return { init, update, evaluationParams };
}

/** What a leaf's random numbers are a function of, beside the seed: its place in the tree. */
const streamOf = (place: number): string => `leaf ${place}`;

const arrayOf = (jax: Jax, values: Float32Array): Arr => jax.numpy.array(Float32Array.from(values));

const scalarsOf = ({ numpy: np }: Jax, numbers: Readonly<Record<string, number>>): Leaf =>
  Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [name, np.array(value, { dtype: np.float32 })]),
  );

/** @throws TypeError for trees of different sizes. */
function checkLengths(weights: number, gradients: number, leaves: number): void {
  if (gradients === weights && leaves === weights) return;
  throw new TypeError(
    `logrung: ${weights} parameters, ${gradients} gradients and state of ${leaves}: wants one tree for all`,
  );
}

/** The two computations of a rule, each compiled once a shape. */
function compiled(jax: Jax, arrays: ArrayOptimizer) {
  /** The next weight (where the rule keeps it, else what it was) and the next state. */
  const step = jax.jit((w: Arr, g: Arr, leaf: Leaf, uniforms: Leaf): [Arr, Leaf] => {
    const ops = new Borrowing(jax);
    const { [SCALE]: scale, ...fields } = leaf;
    const next = arrays.step<Arr>(ops, { w, g, scale, fields }, uniforms);
    // Its keys in the order of the state it was given: another order would be another tree to jit.
    const kept = jax.tree.ref({ ...leaf, ...next.fields });
    const result: [Arr, Leaf] = [(next.w ?? w).ref, kept];
    ops.release();
    jax.tree.dispose([w, g, leaf, uniforms]);
    return result;
  });
  /** The weight of a forward pass from the state. */
  const draw = jax.jit((leaf: Leaf, uniforms: Leaf, noise: Arr[], training: Arr): Arr => {
    const ops = new Borrowing(jax);
    const { [SCALE]: scale, ...fields } = leaf;
    const result = arrays.materialise<Arr>(ops, { scale, fields }, uniforms, noise, training).ref;
    ops.release();
    jax.tree.dispose([leaf, uniforms, noise, training]);
    return result;
  });
  return { step, draw };
}
