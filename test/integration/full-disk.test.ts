/** A disk that fills up at any moment ends the run with a clear message; with space again, the run goes on. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkpointsOf } from "../../src/train/checkpoint-folder.ts";
import { loadCheckpoint } from "../../src/train/checkpoint.ts";
import { type Ended, inPlace, logrung, stateOf, training, workspace } from "./program.ts";

const folder = workspace();
const options = ["--threads=1", "--checkpoint.every=10", "--checkpoint.keep=2"];
const steps = 40;
let expected: Record<string, unknown> = {};

beforeAll(async () => {
  const whole = join(folder, "whole");
  expect((await inPlace(training(whole, steps, ...options))).code).toBe(0);
  expected = await stateOf(whole);
});

/** What must hold after a run that a full disk ended. */
async function expectNothingLost(run: string, { code, stdout, stderr }: Ended): Promise<void> {
  expect(stderr).toMatch(/cannot write ".*": the disk is full \(ENOSPC\); free some space, then resume/);
  expect([code, stdout]).toEqual([1, ""]);
  const names = readdirSync(run, { recursive: true, encoding: "utf8" });
  expect(names.filter((name) => name.includes(".tmp-") || name === "run.lock")).toEqual([]);
  for (const { path } of await checkpointsOf(run)) await loadCheckpoint(path);
  if (!names.includes("metrics.jsonl")) return;
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n");
  expect(lines.pop()).toBe("");
  for (const [index, line] of lines.entries()) expect(JSON.parse(line)).toMatchObject({ step: index + 1 });
}

/** Goes on as the message said, or starts again where there was no run yet. */
async function expectGoesOn(run: string, { stderr }: Ended): Promise<void> {
  const [, command] = /once the cause is mended: logrung (.*)\n/.exec(stderr) ?? [];
  const again = await inPlace(command?.split(" ") ?? training(run, steps, ...options));
  expect(again.code, again.stderr).toBe(0);
  expect(await stateOf(run)).toEqual(expected);
  expect(readdirSync(run)).toEqual(expect.arrayContaining(["metrics.jsonl", "report.html", "summary.json"]));
}

describe("a disk that refuses to write", () => {
  const preload = fileURLToPath(new URL("small-disk.mjs", import.meta.url));

  // Bytes that still fit: at the start, into the first checkpoint, at a step, into a later checkpoint, at the end.
  it.each([0, 3000, 30_000, 36_000, 60_000, 110_000, 140_000])("after %i bytes", async (bytes) => {
    const run = join(folder, `refused-${bytes}`);
    const env = { SMALL_DISK_BYTES: String(bytes), SMALL_DISK_AT: run };
    const ended = await logrung(training(run, steps, ...options), { node: ["--import", preload], env });
    await expectNothingLost(run, ended);
    await expectGoesOn(run, ended);
  });
});

const disk = join(folder, "disk");
mkdirSync(disk);

function mount(size: string, ...more: string[]): void {
  const settings = [`size=${size}`, ...more].join(",");
  execFileSync("mount", ["-t", "tmpfs", "-o", settings, "tmpfs", disk], { stdio: "ignore" });
}

function canMount(): boolean {
  try {
    mount("4m");
    return true;
  } catch {
    // Not Linux, not root, or root in a container without the right to mount: the disk above has to do.
    return false;
  }
}

const mounted = canMount();
afterAll(() => {
  if (mounted) execFileSync("umount", [disk]);
});

describe.skipIf(!mounted)("a real disk that is too small (mounting one takes root on Linux)", () => {
  it.each(["60k", "108k"])("of %s", async (size) => {
    const run = join(disk, `of-${size}`);
    mount(size, "remount");
    const ended = await logrung(training(run, steps, ...options));
    await expectNothingLost(run, ended);
    mount("4m", "remount");
    await expectGoesOn(run, ended);
    execFileSync("rm", ["-r", run]);
  });

  it("that became read-only says so, and changes nothing", async () => {
    const run = join(disk, "read-only");
    expect((await inPlace(training(run, 20, ...options))).code).toBe(0);
    const before = await stateOf(run);
    mount("4m", "remount", "ro");
    const ended = await logrung(["train", `--resume=${run}`, "--steps=40"]);
    expect(ended.stderr).toMatch(/cannot write ".*": the file system is read-only \(EROFS\)/);
    expect([ended.code, ended.stdout]).toEqual([1, ""]);
    const fresh = await logrung(training(join(disk, "new", "run"), 20, ...options));
    expect(fresh.stderr).toMatch(/the file system is read-only \(EROFS\); choose another folder/);
    expect(fresh.code).toBe(1);
    mount("4m", "remount", "rw");
    expect(await stateOf(run)).toEqual(before);
    expect((await inPlace(["train", `--resume=${run}`, "--steps=40"])).code).toBe(0);
  });
});
