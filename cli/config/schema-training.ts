/** The parts of the training configuration that every task has, or that are alike: how it is trained, judged and kept. */
import * as z from "zod";
import { scheduleNames } from "../../src/optim/schedules.ts";
import { zerosChoices } from "../../src/optim/zeros.ts";
import { count, fraction } from "./schema-fields.ts";

/**
 * An optimiser's name and its own options, which are checked against its own schema once the name is known.
 */
export const optimizer = z.looseObject({ name: z.string().default("adamw").describe("update rule") });

export const exempt = z.strictObject({
  optimizer: optimizer.prefault({}).describe("update rule of biases and norms (in float32)"),
  embeddings: z
    .boolean()
    .default(false)
    .describe("embeddings follow this rule too, in the format that the precision has for them"),
});

export const schedule = z.strictObject({
  name: z.enum(scheduleNames).default("cosine").describe("course of the learning rate"),
  warmup: fraction("part of the steps over which it rises from 0").default(0.1),
  final: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe("what linear, cosine and one-cycle leave of it at the last step"),
  decay: z.number().gt(0).max(1).default(0.1).describe("what step and plateau multiply it by"),
  interval: z
    .number()
    .gt(0)
    .max(1)
    .default(1 / 3)
    .describe("part of the steps between two decays of step"),
  patience: count(0, "validations without improvement that plateau waits for").default(3),
  threshold: fraction("least relative fall of the loss that plateau takes for an improvement").default(0.001),
});

export const group = z.strictObject({
  pattern: z.string().min(1).describe("parameters by name; * stands for any characters"),
  optimizer: z
    .looseObject({ name: z.string().optional() })
    .default({})
    .describe("update rule; without a name the run's own, with other options"),
  precision: z
    .union([z.string(), z.looseObject({})])
    .optional()
    .describe("formats of update, gradient and moment; default the run's"),
});

export const average = z.strictObject({
  decay: fraction("decay of the moving average of weights that validation uses; 0 keeps none").default(0),
  format: z.string().default("fp32").describe("format of the averages, stochastically rounded"),
});

export const everySteps = count(0, "steps between validations; 0 only at the end").default(100);

export const evaluateText = z.strictObject({
  every: everySteps,
  batches: count(1, "batches a validation takes, fewer where the text has fewer").default(20),
});

export const evaluateImages = z.strictObject({
  every: everySteps,
  images: count(
    0,
    "test images a validation takes: the first of a set, or spread over a folder; 0 is all",
  ).default(0),
});

export const evaluateLabelled = z.strictObject({ every: everySteps });

export const evaluateGan = z.strictObject({
  every: everySteps,
  images: count(0, "test images a validation takes, the first of the set; 0 is all").default(1000),
});

export const checkpoint = z.strictObject({
  every: count(0, "steps between checkpoints; 0 only at the end").default(100),
  keep: count(1, "newest checkpoints that stay").default(3),
});

export const sample = z.strictObject({
  length: count(0, "symbols of sample text at the end; 0 is none").default(400),
  temperature: z
    .number()
    .min(0)
    .default(0.8)
    .describe("0 takes the likeliest symbol, 1 draws as the model says"),
  topK: count(0, "draws among the likeliest so many; 0 is all").default(0),
  prompt: z.string().default("\n").describe("text the sample goes on from"),
});

export const sampleGan = z.strictObject({
  every: count(0, "steps between pictures of samples in the run's folder; 0 only at the end").default(100),
  columns: count(1, "images of each class in a picture").default(10),
});

/** What every task has. Unknown keys are errors at every level but inside `optimizer` and `precision`, which have
 * schemas of their own. */
export const start = {
  recipe: z.string().default("custom").describe("what the configuration started from"),
  seed: count(0, "all random numbers follow from it").default(1),
  steps: count(1, "optimiser steps").default(1500),
};

export const training = {
  optimizer: optimizer.prefault({}).describe("update rule of the weights"),
  exempt: exempt.prefault({}),
  groups: z
    .array(group)
    .default([])
    .describe("parameters with rules of their own, as JSON: the first pattern that fits counts"),
  zeros: z
    .enum(zerosChoices)
    .default("keep")
    .describe("zero weights under multiplicative rules: stay, are drawn anew, get a floor, or are exempt"),
  precision: z
    .union([z.string(), z.looseObject({})])
    .optional()
    .describe(
      "preset's name, or formats by role and layer (docs/precision.md); default: what suits the optimiser",
    ),
  schedule: schedule.prefault({}),
  gradientClip: z.number().min(0).default(1).describe("most a gradient's norm may be; 0 does not clip"),
  gradientClipValue: z.number().min(0).default(0).describe("most a gradient's value may be; 0 does not clip"),
  accumulate: count(1, "parts a batch is computed in, their gradients added up; must divide batch").default(
    1,
  ),
  samples: count(1, "draws of the weights a step, for rules that draw them; gradients are averaged").default(
    1,
  ),
  average: average.prefault({}),
};

export const ending = {
  checkpoint: checkpoint.prefault({}),
  threads: count(0, "worker threads; 0 is one a core").default(0),
  backend: z.enum(["wasm", "reference"]).default("wasm").describe("reference is slow and exact"),
  output: z.string().optional().describe("run folder; default runs/<recipe>-<date>-<time>-<suffix>"),
};
