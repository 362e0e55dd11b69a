/** What a forward pass needs besides parameters and inputs. */
import type { AttentionProbabilities } from "../ops/attention-probabilities.ts";
import type { LayerPrecision } from "../ops/operand.ts";
import { policyAt } from "../precision/layers.ts";
import type { Policy } from "../precision/policy.ts";
import { streamKey, type Key } from "../random/stream.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Pass {
  readonly policy: Policy;
  /** Whether running statistics learn from the batch, rather than stand in for it. */
  readonly training: boolean;
  /** Probability of dropping; 0 outside training. */
  readonly dropout: number;
  /** The random key of a place in the model, new in every step. */
  readonly key: (place: string) => Key;
  /** Told of the input of each linear layer, which may be gone when the layer is done. Default nobody. */
  readonly watch?: (layer: string, input: Tensor) => void;
  /**
   * Told of the probabilities of each layer of self-attention in transformer blocks, which are computed for it alone: it may keep
   * them until the step ends. Default nobody.
   */
  readonly watchAttention?: (layer: string, seen: AttentionProbabilities) => void;
}

/** The pass of training step t. */
export function trainingPass(policy: Policy, dropout: number, seed: number, t: number): Pass {
  return { policy, training: true, dropout, key: (place) => streamKey(seed, place, t, "forward") };
}

/** A pass without dropout, on running statistics; its stochastic roundings, if the policy has any, are the same every time. */
export function evaluationPass(policy: Policy, seed: number): Pass {
  return { ...trainingPass(policy, 0, seed, 0), training: false };
}

/** The precision of one layer of the pass: the policy's, with what its `layers` say of that name. */
export function precisionAt(pass: Pass, layer: string): LayerPrecision {
  return { policy: policyAt(pass.policy, layer), key: (purpose) => pass.key(`${layer} ${purpose}`) };
}
