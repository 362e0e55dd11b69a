/** What a model attends to in one example, small enough to be kept with a run. */
import { evaluationPass, type Pass } from "../nn/pass.ts";
import { policyAt } from "../precision/layers.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { readTensor, type Tensor } from "../tensor/tensor.ts";
import { base64 } from "./base64.ts";
import type { HeadMap } from "./run-summary.ts";

/** The probabilities of a layer for one sequence, [heads, length, length]. */
export interface LayerAttention {
  readonly layer: string;
  /** The format in which they are multiplied with the values; `fp32` where nothing is rounded. */
  readonly format: string;
  readonly heads: number;
  readonly length: number;
  /** As the softmax gives them, and as the product with the values reads them. */
  readonly softmax: ArrayLike<number>;
  readonly read: ArrayLike<number>;
}

/** What a model gave for an example, and what it attended to on the way. */
export interface SeenAttention {
  readonly logits: ArrayLike<number>;
  /** In the order of the forward pass; none where no block attends. */
  readonly layers: readonly LayerAttention[];
}

/**
 * The attention of every transformer block. Not inside a step.
 *
 * @param forward  the model's logits for a batch of one sequence, under the pass that it is given.
 */
export function attentionOf(
  device: Device,
  { policy, seed }: { readonly policy: Policy; readonly seed: number },
  forward: (pass: Pass) => Tensor,
): Promise<SeenAttention> {
  return device.step(() =>
    device.tape.without(async () => {
      const seen: { readonly layer: string; readonly softmax: Tensor; readonly read: Tensor }[] = [];
      const given = forward({
        ...evaluationPass(policy, seed),
        watchAttention: (layer, probabilities) => seen.push({ layer, ...probabilities }),
      });
      const logits = Float32Array.from(await readTensor(given));
      const layers: LayerAttention[] = [];
      for (const { layer, softmax, read } of seen) {
        const [rows, length] = softmax.shape;
        const values = Float32Array.from(await readTensor(softmax));
        layers.push({
          layer,
          format: policyAt(policy, layer).activation?.format ?? "fp32",
          heads: rows / length,
          length,
          softmax: values,
          read: read === softmax ? values : Float32Array.from(await readTensor(read)),
        });
      }
      return { logits, layers };
    }),
  );
}

/** Probabilities below this are nothing to the softmax of a float32: a format may have them 0. */
const negligible = 2 ** -24;

/** A map of each head: all queries by all keys. */
export function textMaps({ heads, length, softmax, read }: LayerAttention): HeadMap[] {
  return Array.from({ length: heads }, (_, head) => {
    const rows = Array.from({ length }, (_row, query) => (head * length + query) * length);
    const meanOf = (key: (query: number) => number): number =>
      mean(rows.slice(1).map((at, before) => read[at + key(before + 1)]));
    return {
      ...shares(Array.from({ length: length * length }, (_p, i) => read[rows[0] + i])),
      entropy: mean(rows.map((at) => entropy(read, at, length))),
      self: meanOf((query) => query),
      previous: meanOf((query) => query - 1),
      first: meanOf(() => 0),
      flushed: flushed({ softmax, read }, rows[0], length * length),
    };
  });
}

/** A map of each head: what the first token, the class token, sees of the others. */
export function classTokenMaps({ heads, length, softmax, read }: LayerAttention): HeadMap[] {
  return Array.from({ length: heads }, (_, head) => {
    const at = head * length * length;
    return {
      ...shares(Array.from({ length: length - 1 }, (_p, i) => read[at + 1 + i])),
      entropy: entropy(read, at, length),
      self: read[at],
      flushed: flushed({ softmax, read }, at, length),
    };
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function shares(probabilities: readonly number[]): Pick<HeadMap, "top" | "shares"> {
  const top = Math.max(...probabilities);
  const bytes = Uint8Array.from(probabilities, (p) => (top > 0 ? Math.round((255 * p) / top) : 0));
  return { top, shares: base64(bytes) };
}

/** -Σ p log₂ p / Σ p + log₂ Σ p: of rounded probabilities, which need not sum to one, those in proportion. */
function entropy(p: ArrayLike<number>, from: number, length: number): number {
  let [sum, total] = [0, 0];
  for (let i = from; i < from + length; i++) {
    if (p[i] > 0) sum -= p[i] * Math.log2(p[i]);
    total += p[i];
  }
  return total > 0 ? sum / total + Math.log2(total) : 0;
}

function flushed(
  { softmax, read }: Pick<LayerAttention, "softmax" | "read">,
  from: number,
  count: number,
): number {
  let [above, lost] = [0, 0];
  for (let i = from; i < from + count; i++) {
    if (softmax[i] <= negligible) continue;
    above++;
    if (read[i] === 0) lost++;
  }
  return lost / Math.max(1, above);
}
