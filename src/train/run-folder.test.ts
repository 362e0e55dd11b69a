import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../io/file-error.ts";
import { checkpointFile, checkpointsOf } from "./checkpoint-folder.ts";
import { readEnvironment } from "./environment.ts";
import {
  createRunFolder,
  readRunConfig,
  readRunMetrics,
  readRunSessions,
  readRunSummary,
  resumeRunFolder,
  RunFolderError,
  runName,
} from "./run-folder.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import type { RunSummary } from "./run-summary.ts";
import { lockRun, RunLockedError } from "./run-lock.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-run-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const environment = await readEnvironment({ logrung: "0.0.0", threads: 1, seed: 3 });
const newRun = (path: string) => ({ recipe: "own-source", config: { steps: 5 }, environment, path });
const lockPath = () => join(folder, "run.lock");
const summary: RunSummary = {
  run: "a",
  recipe: "own-source",
  optimizer: "adamw",
  precision: "fp32",
  steps: 1,
  seconds: 2,
  trainLoss: 2.5,
  validation: { loss: 2.25 },
  tokensPerSecond: 3,
  parameters: 4,
  stateBytes: 5,
  stateBytesPerParameter: 1.25,
  peakBytes: 6,
  sample: { prompt: "NaN", text: "Infinity" },
  policy: parsePolicy("fp32"),
  memory: { weights: 1, moments: 2, scales: 2, activations: 7 },
  ladders: [],
};
const empty = { tensors: {}, metadata: {} };

describe("a run folder", () => {
  it("holds config, environment, metrics, checkpoints and summary", async () => {
    const run = await createRunFolder(newRun(join(folder, "a", "b")));
    run.appendMetrics({ step: 1, loss: 2 });
    await run.saveCheckpoint(1, empty, 3);
    await run.writeSummary(summary);
    await run.close();
    await run.close();
    expect((await readdir(run.path)).toSorted()).toEqual(
      ["checkpoints", "config.json", "environment.json", "metrics.jsonl", "summary.json"].toSorted(),
    );
    expect(await readRunConfig(run.path)).toEqual({ steps: 5 });
    expect(await readRunSessions(run.path)).toEqual([environment]);
    expect((await readRunMetrics(run.path)).steps).toEqual([{ step: 1, loss: 2 }]);
    expect(await readRunSummary(run.path)).toEqual(summary);
  });

  it("goes on at a step: later metrics and checkpoints are no longer its own", async () => {
    const path = join(folder, "a");
    const run = await createRunFolder(newRun(path));
    for (let step = 1; step <= 4; step++) run.appendMetrics({ step });
    await run.saveCheckpoint(2, empty, 3);
    await run.saveCheckpoint(4, empty, 3);
    await run.close();
    const again = await resumeRunFolder(path, 2, environment);
    expect((await checkpointsOf(path)).map((file) => file.step)).toEqual([2]);
    again.appendMetrics({ step: 3, loss: 1 });
    await again.close();
    expect((await readRunMetrics(path)).steps).toEqual([{ step: 1 }, { step: 2 }, { step: 3, loss: 1 }]);
    expect(await readRunSessions(path)).toHaveLength(2);
  });

  it("removes old checkpoints as it saves", async () => {
    const run = await createRunFolder(newRun(join(folder, "a")));
    for (const step of [1, 2, 3]) await run.saveCheckpoint(step, empty, 2);
    await run.close();
    expect((await checkpointsOf(run.path)).map((file) => file.step)).toEqual([2, 3]);
  });

  it("is not made where one is, nor gone on with where none is", async () => {
    const path = join(folder, "a");
    await (await createRunFolder(newRun(path))).close();
    await expect(createRunFolder(newRun(path))).rejects.toThrow(/already holds a run: go on with --resume/);
    await expect(resumeRunFolder(join(folder, "b"), 1, environment)).rejects.toThrow(RunFolderError);
    await writeFile(join(path, "config.json"), "{");
    await expect(readRunConfig(path)).rejects.toThrow(/config\.json" is not JSON/);
  });

  it("is not made on top of a file", async () => {
    await writeFile(join(folder, "a"), "");
    await expect(createRunFolder(newRun(join(folder, "a")))).rejects.toThrow(FileError);
    await expect(createRunFolder(newRun(join(folder, "a", "b")))).rejects.toThrow(FileError);
  });

  it("frees its lock when it could not be opened", async () => {
    const run = await createRunFolder(newRun(join(folder, "a")));
    await run.close();
    await writeFile(join(run.path, "metrics.jsonl"), "broken\n{}\n");
    await expect(resumeRunFolder(run.path, 1, environment)).rejects.toThrow(/line 1/);
    expect(await readdir(run.path)).not.toContain("run.lock");
  });

  it("is named by recipe and time", () => {
    const now = new Date(2026, 0, 31, 23, 5, 9);
    expect(runName("own-source", now, "3fa2")).toBe("own-source-20260131-230509-3fa2");
    expect(runName("../a b/c.json", now, "x")).toBe("a-b-c.json-20260131-230509-x");
    expect(checkpointFile("r", 3).path).toBe(join("r", "checkpoints", "step-3.safetensors"));
  });
});

describe("the lock", () => {
  it("keeps a second one out until it is released", async () => {
    const lock = await lockRun(lockPath());
    await expect(lockRun(lockPath())).rejects.toThrow(RunLockedError);
    await expect(lockRun(lockPath())).rejects.toThrow(`in use by process ${process.pid}; wait`);
    await lock.release();
    await lock.release();
    await (await lockRun(lockPath())).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over from a process that was killed", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const stat = await readFile(`/proc/${child.pid}/stat`, "utf8").catch(() => "");
    const started = stat.split(")").at(-1)?.trim().split(" ")[19] ?? "";
    await writeFile(lockPath(), JSON.stringify({ pid: child.pid, host: hostname(), started }));
    await expect(lockRun(lockPath())).rejects.toThrow(`process ${child.pid}`);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    const lock = await lockRun(lockPath());
    expect(await readFile(lockPath(), "utf8")).toContain(`"pid":${process.pid}`);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over from an earlier process with the same id, where the system tells them apart", async () => {
    const lock = await lockRun(lockPath());
    const own = JSON.parse(await readFile(lockPath(), "utf8")) as { started: string };
    await writeFile(lockPath(), JSON.stringify({ ...own, started: "1" }));
    if (own.started !== "") await (await lockRun(lockPath())).release();
    await lock.release();
  });

  it("of another machine is respected, an old one without content is not", async () => {
    await writeFile(lockPath(), JSON.stringify({ pid: 1, host: "elsewhere", started: "" }));
    await expect(lockRun(lockPath())).rejects.toThrow("process 1 on elsewhere");
    await writeFile(lockPath(), "");
    await expect(lockRun(lockPath())).rejects.toThrow("just started");
    const { utimes } = await import("node:fs/promises");
    await utimes(lockPath(), new Date(0), new Date(0));
    await (await lockRun(lockPath())).release();
  });
});
