/** The contract of an optimiser: options, which moments it keeps, and its update of one weight. */
import type { Value } from "../kernels/program.ts";
import type { Options, OptionSchema } from "./options.ts";

/** What an update is computed from: the same names for every optimiser, whatever the formats in memory. */
export interface UpdateScope {
  /** The weight's value. */
  readonly w: Value;
  /** sign(w) · x, where the sign of 0 is 0; on a ladder the sign bit alone decides, since a zero code never moves. */
  readonly bySign: (x: Value) => Value;
  /** The gradient's value, already clipped. */
  readonly g: Value;
  /** First moment, bias-corrected: m̂ = (β₁ m + (1-β₁) g) / (1-β₁ᵗ); the gradient itself when none is kept. */
  readonly m: Value;
  /** Second moment, bias-corrected: v̂; 0 when none is kept. */
  readonly v: Value;
  /** Numbers of the step by the names of {@link Optimizer.uniforms}. */
  readonly uniform: (name: string) => Value;
}

/**
 * What becomes of the weight.
 *
 * - `additive`: its new value.
 * - `multiplicative`: the change of log₂|w|. The sign stays, zero stays, |w| stays at most σ*. On a ladder the
 *   change is a whole number of rungs, rounded as the policy says.
 */
export type Update =
  | { readonly kind: "additive"; readonly weight: Value }
  | { readonly kind: "multiplicative"; readonly octaves: Value };

/** Decay rates of the moments an optimiser keeps; null where it keeps none. */
export interface MomentRates {
  readonly first: number | null;
  readonly second: number | null;
}

/** What changes the program itself, not only its numbers. */
export interface Variant {
  readonly options: Options;
  /** The weight lives on a logarithmic ladder. */
  readonly onLadder: boolean;
}

/** An update rule. One file each; registered by being exported as `optimizer`. */
export interface Optimizer {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  readonly options: OptionSchema;
  moments(options: Options): MomentRates;
  /** Numbers of step t ≥ 1, all f32 uniforms of the kernel: nothing recompiles when they change. */
  uniforms(options: Options, lr: number, t: number): Readonly<Record<string, number>>;
  /** σ* as a multiple of the tensor's initial root mean square; null where weights are not bounded. */
  clampScale(options: Options): number | null;
  /**
   * The most that one step changes log₂|w|, for multiplicative rules; null for others. A ladder takes moves of up to
   * a million rungs, many times its height.
   */
  reach(options: Options): number | null;
  update(scope: UpdateScope, variant: Variant): Update;
}
