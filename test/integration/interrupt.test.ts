/** A run that is asked to stop saves, says how to go on, and goes on as if it had never stopped. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  countLines,
  inPlace,
  logrung,
  newestCheckpoint,
  sentences,
  start,
  stateOf,
  training,
  until,
  workspace,
} from "./program.ts";

const folder = workspace();
const steps = 900;
const options = ["--checkpoint.every=0", "--precision=lns-madam-8", "--model.dropout=0.1"];
const summaryOf = (run: string) =>
  JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as Record<string, unknown>;

describe("a signal while training", () => {
  it("ends with 130, a checkpoint of that step and the command that goes on", async () => {
    const whole = join(folder, "whole");
    expect((await logrung(training(whole, steps, ...options))).code).toBe(0);

    const run = join(folder, "stopped");
    let words = training(run, steps, ...options);
    for (const [signal, after] of [
      ["SIGINT", 50],
      ["SIGTERM", 200],
      ["SIGHUP", 350],
    ] as const) {
      const started = start(words);
      await until(() => countLines(join(run, "metrics.jsonl")) >= after, started);
      started.child.kill(signal);
      const { code, stderr, stdout } = await started.ended;
      expect(code).toBe(130);
      expect(stdout).toBe("");
      const [, step, command] =
        /saved after step (\d+) of 900; go on with: logrung (.*)\n$/.exec(stderr) ?? [];
      expect((await newestCheckpoint(run)).metadata.step).toBe(Number(step));
      expect(countLines(join(run, "metrics.jsonl"))).toBe(Number(step));
      expect(existsSync(join(run, "run.lock"))).toBe(false);
      words = command.split(" ");
    }
    const last = await logrung(words);
    expect(last.code).toBe(0);
    expect(await stateOf(run)).toEqual(await stateOf(whole));
    const [stopped, expected] = [summaryOf(run), summaryOf(whole)];
    for (const key of ["steps", "trainLoss", "validation", "sample", "ladders"]) {
      expect(stopped[key], key).toEqual(expected[key]);
    }
  });

  it("leaves at once at the second, a while after the first", async () => {
    const run = join(folder, "impatient");
    // A validation after step 2 that is so long that the first signal cannot be obeyed yet.
    const long = join(folder, "long.txt");
    writeFileSync(long, sentences(4_000_000));
    const endless = ["--evaluate.every=2", "--evaluate.batches=1000000", "--data.validationFraction=0.95"];
    const words = training(run, steps, ...endless, `--data=${long}`);
    const started = start(words);
    await until(() => countLines(join(run, "metrics.jsonl")) >= 1, started);
    await sleep(500);
    started.child.kill("SIGINT");
    const impatience = setInterval(() => started.child.kill("SIGINT"), 700);
    const { code, stderr } = await started.ended;
    clearInterval(impatience);
    expect(code).toBe(130);
    expect(stderr).toContain("Ctrl-C again to leave at once");
    expect(stderr).not.toContain("saved after");
  });
});

describe("a stop at the end, while the sample is drawn", () => {
  const endless = ["--sample.length=1000000", "--checkpoint.every=0"];
  const trained = (run: string) => existsSync(join(run, "checkpoints", "step-40.safetensors"));

  it("by Ctrl-C cuts the sample short and keeps all figures", async () => {
    const run = join(folder, "sampling");
    const started = start(training(run, 40, ...endless, "--json"));
    await until(() => trained(run), started);
    started.child.kill("SIGINT");
    const { code, stdout, stderr } = await started.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("all 40 steps are done and saved");
    expect(JSON.parse(stdout)).toMatchObject({ run, steps: 40 });
    expect(summaryOf(run).steps).toBe(40);
    expect(existsSync(join(run, "report.html"))).toBe(true);
    const again = await inPlace(["train", `--resume=${run}`]);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("has done all its 40 steps; --steps=<more> goes on");
  });

  it("by kill -9 loses nothing: going on makes the figures", async () => {
    const run = join(folder, "killed-sampling");
    const whole = join(folder, "whole-40");
    const started = start(training(run, 40, ...endless));
    await until(() => trained(run), started);
    started.child.kill("SIGKILL");
    await started.ended;
    expect(existsSync(join(run, "summary.json"))).toBe(false);
    expect((await logrung(["train", `--resume=${run}`, "--sample.length=8"])).code).toBe(0);
    expect((await logrung(training(whole, 40, "--checkpoint.every=0"))).code).toBe(0);
    const [killed, expected] = [summaryOf(run), summaryOf(whole)];
    for (const key of ["steps", "trainLoss", "validation", "sample", "ladders"]) {
      expect(killed[key], key).toEqual(expected[key]);
    }
    expect(killed.tokensPerSecond).toBeGreaterThan(0);
  });
});

describe("a stop while a model is used", () => {
  it("ends generate at once", async () => {
    const run = join(folder, "whole-40");
    const started = start(["generate", run, "--length=1000000"]);
    await new Promise((resolve) => started.child.stdout?.once("data", resolve));
    started.child.kill("SIGINT");
    expect((await started.ended).code).toBe(130);
  });

  it("ends eval at once, without a word on stdout", async () => {
    const run = join(folder, "whole-40");
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    const long = join(folder, "long.txt");
    const ended = await inPlace(["eval", run, "--data", long], { signal: controller.signal });
    expect(ended).toEqual({ code: 130, stdout: "", stderr: "" });
  });
});
