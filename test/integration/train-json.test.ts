/** `train --json`: one object on stdout, progress on stderr, and figures that are true. */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { RunSummary } from "../../src/train/run-summary.ts";
import { inPlace, logrung, newestCheckpoint, start, training, workspace } from "./program.ts";

const folder = workspace();
const keys = [
  "run",
  "recipe",
  "optimizer",
  "precision",
  "steps",
  "seconds",
  "trainLoss",
  "validation",
  "tokensPerSecond",
  "parameters",
  "stateBytes",
  "stateBytesPerParameter",
  "peakBytes",
];

/** Bytes of all tensors in a run's newest checkpoint. */
async function weighed(run: string): Promise<number> {
  const { tensors } = await newestCheckpoint(run);
  return Object.values(tensors).reduce((sum, { bytes }) => sum + bytes.length, 0);
}

describe("train --json", () => {
  const run = join(folder, "run");

  it("prints one object with the documented keys, and nothing else on stdout", async () => {
    const { code, stdout, stderr } = await logrung(training(run, 20, "--evaluate.batches=1000", "--json"));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^\{.*\}\n$/);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual(keys);
    expect(Object.keys(result.validation as object)).toEqual(["loss", "perplexity"]);
    expect(result).toMatchObject({
      run,
      recipe: "text",
      optimizer: "rung",
      precision: "rung8",
      steps: 20,
    });
    const { loss, perplexity } = result.validation as { loss: number; perplexity: number };
    expect(perplexity).toBeCloseTo(Math.exp(loss), 10);
    for (const key of ["seconds", "trainLoss", "tokensPerSecond", "peakBytes"])
      expect(result[key]).toBeGreaterThan(0);
    expect(stderr).toMatch(
      /formats {2}rung8: weight: lns8-g16 \(stochastic\); activation, error, saved, gradient: lns8-g8; /,
    );
    expect(stderr).toMatch(/state {4}.* a parameter .*: weights .*B, moments .*B, scales .*B\n/);
    expect(stderr).toMatch(/step 20\/20 · loss \d/);
    expect(stderr).not.toContain("{");
  });

  it("leaves the formats and the bytes of each part in summary.json", () => {
    const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as RunSummary;
    const { weights, moments, scales, activations } = summary.memory;
    expect(weights + moments + scales).toBe(summary.stateBytes);
    expect(activations).toBeGreaterThan(0);
    expect(summary.policy).toEqual(parsePolicy("rung8"));
  });

  it("says the loss that eval finds over the same windows", async () => {
    const { stdout } = await inPlace(["eval", run, "--json"]);
    const scored = JSON.parse(stdout) as { loss: number; step: number };
    const { validation } = JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as {
      validation: { loss: number };
    };
    expect(scored).toMatchObject({ loss: validation.loss, step: 20 });
  });

  it("writes the mean of the last steps as the training loss", async () => {
    const losses: number[] = [];
    for await (const line of createInterface(createReadStream(join(run, "metrics.jsonl")))) {
      losses.push((JSON.parse(line) as { loss: number }).loss);
    }
    const { trainLoss } = JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as {
      trainLoss: number;
    };
    expect(losses).toHaveLength(20);
    expect(trainLoss).toBeCloseTo(losses.reduce((a, b) => a + b) / 20, 10);
  });
});

describe("stateBytes", () => {
  it.each([
    ["rung8", "rung"],
    ["rung-mxfp6", "rung"],
    ["state8", "lns-madam"],
    ["lns-madam-8", "lns-madam"],
    ["state16", "lns-madam"],
    ["fp32", "madam"],
    ["fp32", "adamw"],
  ])("of %s under %s is what the checkpoint's tensors weigh, scales too", async (precision, optimizer) => {
    const run = join(folder, `${precision}-${optimizer}`);
    const words = training(run, 2, `--precision=${precision}`, `--optimizer=${optimizer}`, "--json");
    const { code, stdout, stderr } = await inPlace(words);
    expect(code, stderr).toBe(0);
    const { stateBytes, parameters, stateBytesPerParameter } = JSON.parse(stdout) as Record<string, number>;
    expect(stateBytes).toBe(await weighed(run));
    expect(stateBytesPerParameter).toBeCloseTo(stateBytes / parameters, 12);
  });
});

describe("a reader that leaves", () => {
  it("does not stop a run: its files are whole, and the code is 0", async () => {
    const run = join(folder, "unread");
    const { child, ended } = start(training(run, 30, "--json"));
    child.stdout?.destroy();
    child.stderr?.destroy();
    expect(await ended).toMatchObject({ code: 0, signal: null });
    for (const name of ["summary.json", "report.html"]) expect(existsSync(join(run, name))).toBe(true);
    expect(existsSync(join(run, "run.lock"))).toBe(false);
  });

  it("stops generate, which has nothing left to do", async () => {
    const { child, ended } = start(["generate", join(folder, "run"), "--length=10000000"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await ended).toMatchObject({ code: 0, signal: null, stderr: "" });
  });
});
