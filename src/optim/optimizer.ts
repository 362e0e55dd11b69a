/**
 * The contract of an optimiser: one file, one object.
 *
 * A rule states its options, the fields it keeps for each weight, the numbers of a step, and the change of one weight.
 * It never sees a format: weights and fields may lie in float32 or in codes of at most 16 bits, rounded as the policy
 * says, and the same rule is built into a kernel for each combination. One kernel updates all parameters of a group in
 * one dispatch; what changes from step to step are uniforms, so nothing is compiled twice.
 *
 * A step runs in this order:
 *
 * 1. `materialise`, before every forward pass, for rules that keep something else in place of the weight;
 * 2. `reductions` over each tensor, then the next value of every field of role `number`;
 * 3. `update`, element by element.
 */
import type { Value } from "../kernels/program.ts";
import type { Options, OptionSchema } from "./options.ts";

/**
 * A running moment of the gradient, kept in the policy's `moment.first`.
 *
 * - `mean`  m ← β m + (1-β) g;  read as m̂ = m / (1-βᵗ)
 * - `sum`   b ← μ b + (1-d) g, but b₁ = g;  read as it is
 *
 * On a ladder it is kept in units of the root of the second moment, where the rule has one: |m|/√v̂ is bounded, so one
 * fixed scale serves every weight. Without one its top is a number a tensor, topᵗ = β top + (1-β) max|g|, which bounds m.
 */
export interface FirstMoment {
  readonly role: "first";
  /** β or μ, from 0 up to below 1. */
  readonly decay: number;
  readonly form: "mean" | "sum";
  /** d of a sum. Default 0. */
  readonly dampening?: number;
}

/**
 * The running mean square of the gradient, kept in the policy's `moment.second`. Never negative, so unsigned formats
 * hold it.
 *
 *   v̂ ← v̂ + (1-β)/(1-βᵗ) · (g² - v̂)   bias-corrected in memory too: its first value is g² itself
 *   v ← v + (1-β) (g² - v)             where `corrected` is false
 */
export interface SecondMoment {
  readonly role: "second";
  /** β, from 0 up to below 1. */
  readonly decay: number;
  /** Default true. */
  readonly corrected?: boolean;
}

/**
 * A number a weight that stands in the weight's place (see {@link Optimizer.materialise}), kept in the policy's `update`
 * format like a weight. The rule's update says how it changes.
 */
export interface Part {
  readonly role: "part";
  /** Whether it may be negative; if not, unsigned formats may hold it too. */
  readonly signed: boolean;
  /** Its first value, from that of the weight and the root mean square of the tensor's. */
  init(weight: number, rms: number): number;
}

/** One float32 a tensor. Called `scale` it replaces σ*: the top rung moves, and codes with it. */
export interface TensorNumber {
  readonly role: "number";
  /** @param facts.rms  the root mean square of the initial weights; `scale`: σ* as it would be without this field. */
  init(facts: { readonly rms: number; readonly scale: number }): number;
  /** Its next value, computed before the elements are updated. */
  next(scope: NumberScope): Value;
}

export interface NumberScope {
  readonly before: Value;
  readonly reduced: (name: string) => Value;
  readonly uniform: (name: string) => Value;
}

/** What is kept between steps. The name is the tensor's name in checkpoints: `<parameter>.<field>`. */
export type StateField = FirstMoment | SecondMoment | Part | TensorNumber;
export type StateFields = Readonly<Record<string, StateField>>;

/** A field during a step: as it was, and as it will be (parts and own numbers: as they are before the update). */
export interface FieldValues {
  readonly before: Value;
  readonly value: Value;
}

/** What an update is computed from: the same names for every optimiser, whatever the formats in memory. */
export interface UpdateScope {
  /** The weight's value. For rules that materialise, what the last forward pass saw. */
  readonly w: Value;
  /** sign(w) · x, where the sign of 0 is 0; on a ladder the sign bit alone decides, since a zero code never moves. */
  readonly bySign: (x: Value) => Value;
  /** The gradient's value, already clipped. */
  readonly g: Value;
  /** The field `m`: a mean corrected, m / (1-βᵗ), a sum as it is; the gradient itself when there is none. */
  readonly m: Value;
  /** The field `v`; 0 when there is none. */
  readonly v: Value;
  /** Any field by its name; `before` of a moment as it lay in memory, uncorrected. */
  readonly field: (name: string) => FieldValues;
  /** log₂ of a part as it was; of zero some large negative number. On a ladder it is read off the rung. */
  readonly octaves: (part: string) => Value;
  /** A number of the tensor, of {@link Optimizer.reductions}. */
  readonly reduced: (name: string) => Value;
  /** σ*, see {@link Optimizer.clampScale}. */
  readonly scale: Value;
  /** 32 random bits (u32) of this weight and step, one draw for each stream; those that `materialise` drew last. */
  readonly bits: (stream: number) => Value;
  /** Numbers of the step by the names of {@link Optimizer.uniforms}. */
  readonly uniform: (name: string) => Value;
}

/** What a gradient is made from. */
export type GradientScope = Pick<UpdateScope, "w" | "g" | "uniform">;

/** What `materialise` is computed from. */
export interface MaterialiseScope {
  /** The value of a part. */
  readonly part: (name: string) => Value;
  readonly scale: Value;
  /** 32 random bits (u32) of this weight, step and sample, one draw for each stream. */
  readonly bits: (stream: number) => Value;
  /** 1 in training, 0 in evaluation: the deviation of any noise is multiplied by it. */
  readonly noise: Value;
  readonly uniform: (name: string) => Value;
}

/**
 * What becomes of a number.
 *
 * - `additive`: its new value; or `steps`, (1 - decay) · w - rate · step with a decay (default none) and a rate that are
 *   the same for all weights of a tensor: on codes that is less work.
 * - `multiplicative`: the change of log₂|w|, `octaves · unit`. The sign stays, zero stays, |w| stays at most σ*. On a
 *   ladder the change is a whole number of rungs, rounded as the policy says. `unit` (default 1) is a constant: a rule
 *   that counts in rungs gives {@link Variant.octavesPerRung}, and no multiplication is left.
 */
export type Change =
  | { readonly kind: "additive"; readonly value: Value }
  | { readonly kind: "steps"; readonly decay?: Value; readonly rate: Value; readonly step: Value }
  | { readonly kind: "multiplicative"; readonly octaves: Value; readonly unit?: number };

/** The change of the weight (none where the rule materialises it), and of the parts. */
export type Update = (Change | { readonly kind: "none" }) & {
  readonly parts?: Readonly<Record<string, Change>>;
};

/** What changes the program itself, not only its numbers. */
export interface Variant {
  readonly options: Options;
  /** The weight lives on a logarithmic ladder. */
  readonly onLadder: boolean;
  /** log₂ of the ratio of neighbouring rungs; null off the ladder. */
  readonly octavesPerRung: number | null;
  /** How many rungs the ladder has, zero not counted; null off it. */
  readonly rungs: number | null;
}

/** A number of the whole tensor, found before its elements are updated. */
export interface Reduction {
  readonly op: "sum" | "max" | "min";
  value(scope: GradientScope): Value;
}

/** What `initial` may draw from and keep to. */
export interface InitialScope {
  readonly options: Options;
  readonly variant: Variant;
  /** σ* of this tensor. */
  readonly scale: number;
  /** Uniform in [0, 1), a pure function of seed, tensor and index. */
  readonly random: (index: number) => number;
}

/** An update rule. One file each; registered by being exported as `optimizer`. */
export interface Optimizer {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  readonly options: OptionSchema;
  /** What is kept for each weight, by name. */
  state(options: Options): StateFields;
  /** Numbers of step t ≥ 1, all f32 uniforms of the kernel: nothing recompiles when they change. */
  uniforms(options: Options, lr: number, t: number, variant: Variant): Readonly<Record<string, number>>;
  update(scope: UpdateScope, variant: Variant): Update;
  /** The gradient as moments, reductions and the update see it, where that is another: with a decay of weights added. */
  gradient?(scope: GradientScope, variant: Variant): Value;
  /** σ* as a multiple of the tensor's initial root mean square; null, and by default, weights are not bounded. */
  clampScale?(options: Options): number | null;
  /** What that is a multiple of, where it is another number than the root mean square: of parts, their size. */
  clampUnit?(options: Options, rms: number): number;
  /**
   * The most that one step changes log₂|w|, for multiplicative rules; null or left out for others. A ladder takes moves
   * of up to a million rungs, many times its height.
   */
  reach?(options: Options): number | null;
  /** Options that a ladder decides where weights lie on one, with its values; what is given for them has no effect there. */
  ladderOptions?(variant: Variant): Options;
  /** Numbers of the whole tensor that the update reads, by name. */
  reductions?(options: Options): Readonly<Record<string, Reduction>>;
  /** The weight of the next forward pass, float32, computed from the parts; it lives for that pass only. */
  materialise?(scope: MaterialiseScope, variant: Variant): Value;
  /** Other initial weights than the model's, each from the model's and its index, where the rule is published with its own. */
  initial?(scope: InitialScope): (weight: number, index: number) => number;
}
