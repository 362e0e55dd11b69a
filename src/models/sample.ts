/** Sampling symbols from a language model. */
import { outputRows } from "../nn/output-layer.ts";
import { evaluationPass } from "../nn/pass.ts";
import type { Policy } from "../precision/policy.ts";
import { philox4x32 } from "../random/philox.ts";
import type { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import type { LanguageModel } from "./model.ts";

export interface SampleOptions {
  /** Symbols to draw. */
  readonly length: number;
  /** Logits are divided by it; 0 takes the likeliest symbol. Default 0.8. */
  readonly temperature?: number;
  /** Draw among this many likeliest symbols only; 0 is all. Default 0. */
  readonly topK?: number;
  readonly seed?: number;
}

/**
 * Draws symbols one by one after a prompt; the model sees the last `context` of them.
 *
 * @param prompt  at least one symbol.
 * @yields each drawn symbol.
 * @throws RangeError for an empty prompt or a negative temperature.
 */
export async function* sample(
  device: Device,
  model: LanguageModel,
  policy: Policy,
  prompt: ArrayLike<number>,
  options: SampleOptions,
): AsyncGenerator<number, void, undefined> {
  const { length, temperature = 0.8, topK = 0, seed = 0 } = options;
  if (prompt.length === 0) throw new RangeError("logrung: sampling wants a prompt of at least one symbol");
  if (!(temperature >= 0)) throw new RangeError(`logrung: temperature is ${temperature}, wants >= 0`);
  const symbols = Array.from(prompt);
  for (let i = 0; i < length; i++) {
    const logits = await lastLogits(device, model, policy, symbols.slice(-model.context), seed);
    const [word] = philox4x32([i, 0, 0, 0x73616d70], [seed >>> 0, 0]);
    const next = draw(logits, temperature, topK, word / 2 ** 32);
    symbols.push(next);
    yield next;
  }
}

async function lastLogits(
  device: Device,
  model: LanguageModel,
  policy: Policy,
  symbols: readonly number[],
  seed: number,
): Promise<Float64Array> {
  return device.step(() =>
    device.tape.without(async () => {
      const ids = device.tensor(Int32Array.from(symbols), [symbols.length]);
      const pass = evaluationPass(policy, seed);
      const lastRow = { first: symbols.length - 1, count: 1 };
      const logits = outputRows(model.states(ids, 1, pass), model.output, lastRow, pass);
      return Float64Array.from(await readTensor(logits));
    }),
  );
}

/** Index of a symbol: the u-quantile of softmax(logits / temperature) over the likeliest `topK`. */
export function draw(logits: Float64Array, temperature: number, topK: number, u: number): number {
  const order = Array.from(logits.keys()).toSorted((a, b) => logits[b] - logits[a]);
  if (temperature === 0) return order[0];
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const weights = kept.map((i) => Math.exp((logits[i] - logits[order[0]]) / temperature));
  let rest = u * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < kept.length; i++) {
    rest -= weights[i];
    if (rest < 0) return kept[i];
  }
  return kept[kept.length - 1];
}
