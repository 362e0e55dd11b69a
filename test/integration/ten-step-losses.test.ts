/** The first ten losses of a tiny model, kept: a change of the arithmetic does not go unseen. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPlace, sentences, workspace } from "./program.ts";

const folder = workspace();
const text = join(folder, "text.txt");
writeFileSync(text, sentences(4000));

/** Nothing is left to defaults, so that these may change. */
const shared = {
  seed: 1,
  steps: 10,
  batch: 2,
  data: { path: text, validationFraction: 0.1 },
  model: { layers: 1, width: 16, heads: 2, context: 16, init: "fan-in", dropout: 0 },
  schedule: { name: "constant", warmup: 0, final: 1 },
  gradientClip: 1,
  exempt: {
    optimizer: { name: "adamw", lr: 0.003, beta1: 0.9, beta2: 0.99, weightDecay: 0 },
    embeddings: false,
  },
  sample: { length: 0 },
};
const lnsMadam = {
  name: "lns-madam",
  lr: 0.05,
  beta: 0.99,
  momentum: 0.9,
  bound: 10,
  scale: 3,
  weightDecay: 0,
};

interface Case {
  readonly precision: string;
  readonly optimizer: object;
  /** Measured on the wasm backend; the reference gives the same to 1e-5. */
  readonly losses: readonly number[];
}

const cases: Record<string, Case> = {
  "adamw in float32": {
    precision: "fp32",
    optimizer: { name: "adamw", lr: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
    losses: [6.7507, 5.8721, 5.5968, 4.8156, 5.1658, 4.737, 4.0377, 3.911, 4.0544, 4.2101],
  },
  "madam in float32": {
    precision: "fp32",
    optimizer: { name: "madam", lr: 0.05 },
    losses: [6.7507, 6.0909, 5.6874, 5.0564, 5.2828, 4.7621, 3.8461, 3.7996, 3.9029, 3.9661],
  },
  "lns-madam on 8-bit state": {
    precision: "state8",
    optimizer: lnsMadam,
    losses: [6.7429, 6.1688, 5.8206, 5.3562, 5.5915, 5.2606, 4.6026, 4.5592, 4.7983, 4.8996],
  },
  "rung on 8-bit state": {
    precision: "state8",
    optimizer: { name: "rung", lr: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, scale: 6 },
    losses: [6.7592, 5.8637, 5.5871, 4.8226, 5.143, 4.7495, 4.0271, 3.9207, 4.0673, 4.2158],
  },
  "lns-madam on 8 bits everywhere": {
    precision: "lns-madam-8",
    optimizer: lnsMadam,
    losses: [6.7458, 6.166, 5.8202, 5.3668, 5.5876, 5.2744, 4.5919, 4.5629, 4.8075, 4.9011],
  },
};

async function lossesOf(name: string, { precision, optimizer }: Case, backend: string): Promise<number[]> {
  const output = join(folder, `${name}-${backend}`);
  const config = join(folder, "config.json");
  writeFileSync(config, JSON.stringify({ ...shared, precision, optimizer, backend, output }));
  const { code, stderr } = await inPlace(["train", config]);
  expect(code, stderr).toBe(0);
  const lines = readFileSync(join(output, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { loss: number }).loss);
}

describe.each(Object.entries(cases))("ten steps of %s", (name, example) => {
  it.each(["wasm", "reference"])("on the %s backend lose what they always did", async (backend) => {
    const losses = await lossesOf(name, example, backend);
    const off = losses.map((loss, step) => Math.abs(loss - example.losses[step]));
    expect(losses).toHaveLength(10);
    expect(Math.max(...off), `losses: ${losses.map((loss) => loss.toFixed(4)).join(", ")}`).toBeLessThan(
      1e-3,
    );
  });
});
