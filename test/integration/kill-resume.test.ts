/** kill -9 at any step, resume, and the end is the same, byte for byte. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  countLines,
  logrung,
  newestCheckpoint,
  start,
  stateOf,
  training,
  until,
  workspace,
} from "./program.ts";

const folder = workspace();
const steps = 500;

const runs = {
  "lns-madam, state8": ["--optimizer=lns-madam", "--precision=state8"],
  "lns-madam, lns-madam-8, dropout": [
    "--optimizer=lns-madam",
    "--precision=lns-madam-8",
    "--model.dropout=0.1",
  ],
  "adamw, fp32, dropout": ["--optimizer=adamw", "--precision=fp32", "--lr=0.003", "--model.dropout=0.1"],
};

/** Kills the run as soon as a step is done, and returns the step it really got to. */
async function killAt(step: number, run: string, words: readonly string[]): Promise<number> {
  const metrics = join(run, "metrics.jsonl");
  const started = start(words);
  await until(() => countLines(metrics) >= step, started);
  started.child.kill("SIGKILL");
  expect((await started.ended).signal).toBe("SIGKILL");
  return countLines(metrics);
}

async function expectWhole(run: string): Promise<void> {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  const done = lines.map((line) => (JSON.parse(line) as { step: number }).step);
  expect(done).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
}

describe.each(Object.entries(runs))("%s", (name, options) => {
  const at = (part: string): string => join(folder, `${name}-${part}`);
  const words = (run: string, threads: number): string[] =>
    training(run, steps, ...options, `--threads=${threads}`, "--checkpoint.every=25", "--checkpoint.keep=2");

  it("is the same run on one thread, on two, and after every kill", async () => {
    const [one, two] = await Promise.all([logrung(words(at("one"), 1)), logrung(words(at("two"), 2))]);
    expect([one, two].map(({ code }) => code)).toEqual([0, 0]);
    const expected = await stateOf(at("one"));
    expect(expected.step).toBe(steps);
    expect(await stateOf(at("two"))).toEqual(expected);

    const before = [1, 60, 140].map((step) => step + Math.floor(Math.random() * 50));
    const killed = at("killed");
    for (const [index, step] of before.entries()) {
      const threads = 1 + (index % 2);
      const again = ["train", `--resume=${killed}`, `--threads=${threads}`];
      const got = await killAt(step, killed, index === 0 ? words(killed, threads) : again);
      expect(got, `killed at ${before.join(", ")}`).toBeLessThan(steps);
      expect((await newestCheckpoint(killed)).metadata.step).toBeLessThanOrEqual(got);
    }
    const last = await logrung(["train", `--resume=${killed}`, "--threads=2"]);
    expect(last.stderr).toMatch(/going on after step \d+/);
    expect(last.code).toBe(0);
    expect(await stateOf(killed)).toEqual(expected);
    await expectWhole(killed);
  });
});
