/** A run under LMD, whose weights are drawn anew before every pass: resumed, scored, sampled from, and its bytes. */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inPlace, newestCheckpoint, stateOf, training, workspace } from "./program.ts";

const folder = workspace();
const run = join(folder, "run");

it("goes on from its middle as if it had not stopped, and is judged by the means of its weights", async () => {
  const more = [
    "--optimizer=lmd",
    "--precision=lmd8",
    "--samples=2",
    "--ema=0.9",
    "--optimizer.deviation=0.1",
  ];
  const flags = [...more, '--groups=[{"pattern":"h.*.bias","optimizer":{}}]', "--checkpoint.every=4"];
  const begun = await inPlace(training(run, 8, ...flags), { cwd: folder });
  expect(begun.code, begun.stderr).toBe(0);
  expect(begun.stderr).toContain("2 draws of the weights a step");
  expect(begun.stderr).not.toContain("can never move");
  const copy = join(folder, "copy");
  cpSync(run, copy, { recursive: true });
  const resumed = await inPlace(["train", `--resume=${copy}`, "--checkpoint=4"]);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await stateOf(copy)).toEqual(await stateOf(run));
  const score = async (words: string[]): Promise<string> => (await inPlace(words, { cwd: folder })).stdout;
  expect(await score(["eval", "run"])).toMatch(/^loss \d\.\d{4} nats/);
  expect(await score(["eval", "copy"])).toBe(await score(["eval", "run"]));
  const text = ["generate", "run", "--length=20", "--seed=3"];
  expect(await score(text)).toBe(await score(text));
});

it("a weight in two parts and two moments at 8 bits takes four bytes; three where the direction is a sign", async () => {
  for (const [direction, bytes] of [
    ["normalised", [1, 1, 1, 0.75]],
    ["lion", [1, 1, 1]],
  ] as const) {
    const path = join(folder, direction);
    const words = ["--optimizer=lmd", "--precision=lmd8", `--optimizer.direction=${direction}`];
    const { code, stderr } = await inPlace(training(path, 1, ...words));
    expect(code, stderr).toBe(0);
    const summary = JSON.parse(readFileSync(join(path, "summary.json"), "utf8")) as {
      stateBytes: number;
      ladders: { group: string; format: string }[];
    };
    const { tensors } = await newestCheckpoint(path);
    const sizes = Object.values(tensors).map((tensor) => tensor.bytes.length);
    expect(summary.stateBytes).toBe(sizes.reduce((a, b) => a + b, 0));
    const weight = Object.entries(tensors).filter(([name]) => name.startsWith("h.0.mlp.c_fc.weight."));
    const numbers = weight.map(([, tensor]) => tensor.bytes.length).filter((length) => length > 4);
    expect(numbers.toSorted((a, b) => b - a)).toEqual(bytes.map((each) => each * 4 * 16 * 16));
    expect(summary.ladders.map(({ group }) => group)).toContain("parts");
  }
});

it("several draws of weights that no rule draws are refused", async () => {
  const { code, stderr } = await inPlace(
    training(join(folder, "none"), 1, "--optimizer=adamw", "--samples=2"),
  );
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining("2 samples a step, but adamw draws no weights"),
  ]);
});
