/** Whatever a run keeps besides weights and moments is in its checkpoints: averages, a plateau, groups of their own. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inPlace, sentences, stateOf, tiny, workspace } from "./program.ts";

const folder = workspace();
writeFileSync(join(folder, "text.txt"), sentences(3000));

const config = {
  recipe: "text",
  steps: 10,
  batch: 4,
  accumulate: 2,
  average: { decay: 0.9, format: "lns8-g16" },
  optimizer: { name: "lns-madam" },
  precision: "state8",
  schedule: { name: "plateau", patience: 0, warmup: 0, threshold: 0.5 },
  groups: [
    { pattern: "*.attn.*weight", optimizer: { name: "lion", lr: 0.001 } },
    { pattern: "*.bias", optimizer: { name: "madam" }, precision: "fp32" },
  ],
  zeros: "floor",
  gradientClipValue: 0.5,
};

it("a run with all of it goes on from its middle as if it had not stopped", async () => {
  writeFileSync(join(folder, "all.json"), JSON.stringify(config));
  const flags = ["--evaluate.every=2", "--checkpoint.every=4", "--checkpoint.keep=9"];
  const whole = join(folder, "whole");
  const shape = tiny.filter((flag) => !/^--(batch|optimizer|precision|evaluate|checkpoint)/.test(flag));
  const begun = await inPlace(
    ["train", "all.json", "--data=text.txt", `--output=${whole}`, ...shape, ...flags],
    { cwd: folder },
  );
  expect(begun.code, begun.stderr).toBe(0);
  expect(begun.stderr).toContain("group    *.attn.*weight: lion, lr 0.001");
  expect(begun.stderr).not.toContain("can never move");
  const copy = join(folder, "copy");
  cpSync(whole, copy, { recursive: true });
  const { code, stderr } = await inPlace(["train", `--resume=${copy}`, "--checkpoint=4"]);
  expect(code, stderr).toBe(0);
  expect(await stateOf(copy)).toEqual(await stateOf(whole));
  const rates = readFileSync(join(copy, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { learningRate: number }).learningRate);
  expect(rates[9]).toBeLessThan(0.01 * rates[0]);
});

it("zeros under a multiplicative rule are named before the first step", async () => {
  writeFileSync(join(folder, "zeros.json"), JSON.stringify({ ...config, zeros: "keep", steps: 1 }));
  const { stderr } = await inPlace(
    [
      "train",
      "zeros.json",
      "--data=text.txt",
      "--sample.length=0",
      "--model.layers=1",
      "--model.width=16",
      "--model.heads=2",
      "--model.context=16",
    ],
    { cwd: folder },
  );
  expect(stderr.match(/can never move/g)).toHaveLength(1);
  expect(stderr).toMatch(/can never move: h\.0\.ln_1\.bias, .*ln_f\.bias; zeros=redraw, floor or exempt/);
});
