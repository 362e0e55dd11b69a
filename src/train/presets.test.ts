import { afterEach, expect, it } from "vitest";
import { trainingBatch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import type { LanguageModelConfig } from "../models/model.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy, PolicyError } from "../precision/parse-policy.ts";
import { presets } from "../precision/presets.ts";
import { Device } from "../tensor/device.ts";
import { createTrainer, type LanguageTrainer } from "./language-trainer.ts";

const sizes = { vocabulary: 256, context: 12, layers: 2, width: 24, heads: 3, init: "fan-in" } as const;
const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 2, context: 12 });

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function trainerOf(
  precision: unknown,
  shape: Partial<LanguageModelConfig> = {},
): Promise<LanguageTrainer> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  return createTrainer({
    device,
    model: gpt2(device, { ...sizes, ...shape }, 1),
    policy: parsePolicy(precision),
    // Parts without a sign are LMD's.
    optimizer: precision === "lmd8" ? optimizers.lmd : optimizers.madam,
    options: { lr: 0.02 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.01 },
    exemptEmbeddings: false,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 3,
    seed: 1,
    dropout: 0,
    gradientClip: 1,
  });
}

/** Losses of three steps on one batch. */
async function losses(trainer: LanguageTrainer): Promise<number[]> {
  const all: number[] = [];
  for (let t = 1; t <= 3; t++) all.push((await trainer.step(batch(1), t)).loss);
  return all;
}

it.each(Object.keys(presets))("a tiny GPT-2 trains in %s, near what it does in float32", async (preset) => {
  const exact = await losses(await trainerOf("fp32"));
  const found = await losses(await trainerOf(preset));
  expect(found.every(Number.isFinite)).toBe(true);
  expect(found[2]).toBeLessThan(found[0]);
  expect(Math.abs(found[0] - exact[0])).toBeLessThan(0.1);
});

it("keeps for the backward pass what the policy's formats weigh", async () => {
  // Heads and sequences of whole blocks: what fills blocks up is kept too.
  const kept = async (precision: string): Promise<number> => {
    const trainer = await trainerOf(precision, { layers: 1, width: 64, heads: 2, context: 32 });
    await trainer.step(trainingBatch(text, { seed: 1, step: 1, rows: 2, context: 32 }), 1);
    return trainer.memory.activations ?? Number.NaN;
  };
  const [fp32, bf16, mxfp8] = [await kept("fp32"), await kept("bf16"), await kept("mxfp8")];
  expect(bf16).toBeLessThan(0.65 * fp32);
  expect(mxfp8).toBeLessThan(bf16);
  expect(await kept("lns-madam-8")).toBeLessThan(mxfp8);
  expect(await kept("lmd-mxfp4")).toBeGreaterThan(0.8 * fp32);
});

it("gives layers formats of their own, state and all", async () => {
  const trainer = await trainerOf({
    preset: "state8",
    layers: { "h.1.*": { preset: "state16" }, "h.1.mlp.c_fc": { update: null, gradient: "lns8-g8" } },
  });
  const formatOf = (name: string): string | null => {
    const { encoding } = trainer.model.parameters.find((p) => p.name === name)?.tensor ?? {};
    return encoding?.kind === "coded" ? encoding.format.name : null;
  };
  expect(formatOf("h.0.mlp.c_fc.weight")).toBe("lns8-g16");
  expect(formatOf("wte.weight")).toBe("lns8-g16");
  expect(formatOf("h.1.attn.c_attn.weight")).toBe("lns16-g1024");
  expect(formatOf("h.1.mlp.c_fc.weight")).toBeNull();
  const found = await losses(trainer);
  expect(found[2]).toBeLessThan(found[0]);
});

it("refuses a pattern that fits no layer of the model", async () => {
  await expect(trainerOf({ layers: { "h.2.*": null } })).rejects.toThrow(PolicyError);
  await expect(trainerOf({ layers: { "h.2.*": null } })).rejects.toThrow(
    /"h\.2\.\*" .* fits no layer; layers with such a role: h\.0\.ln_1, .*, h\.1\.mlp\.c_proj, ln_f, head$/,
  );
});

it("counts the parts that stand in a weight's place as weights", async () => {
  const { memory, parameterCount } = await trainerOf("lmd8");
  // Two codes a weight of a byte or more each.
  expect(memory.weights).toBeGreaterThan(1.9 * parameterCount);
});
