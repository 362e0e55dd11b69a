/** A crash between any two operations on files loses nothing that a checkpoint held. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { inPlace, logrung, stateOf, training, workspace } from "./program.ts";

const folder = workspace();
const run = join(folder, "run");
const copies = join(folder, "copies");
const options = ["--threads=1", "--checkpoint.every=2", "--checkpoint.keep=1", "--sample.length=2"];
const preload = fileURLToPath(new URL("crash-points.mjs", import.meta.url));

/** Every file's name and content. */
function contentOf(path: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(path, {
    recursive: true,
    encoding: "utf8",
    withFileTypes: false,
  }).toSorted()) {
    hash.update(`${name}\n`);
    if (/\.\w+$/.test(name) || name.endsWith("lock")) hash.update(readFileSync(join(path, name)));
  }
  return hash.digest("hex");
}

let expected: Record<string, unknown> = {};

beforeAll(async () => {
  mkdirSync(copies);
  const env = { CRASH_POINTS_OF: run, CRASH_POINTS_TO: copies };
  const { code, stderr } = await logrung(training(run, 5, ...options), { node: ["--import", preload], env });
  expect(code, stderr).toBe(0);
  expected = await stateOf(run);
});

/** What a killed process leaves behind, and the next one must clear away. */
function leftovers(path: string): string[] {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.includes(".tmp-") || name.includes("lock"));
}

/** The different states the folder went through, oldest first. */
function crashes(): string[] {
  const all = readdirSync(copies).toSorted((a, b) => Number(a) - Number(b));
  const states = new Map(all.map((name) => [contentOf(join(copies, name)), join(copies, name)]));
  return [...states.values()];
}

describe("after a crash at any moment", () => {
  it("the run goes on and ends with the same state", async () => {
    const states = crashes();
    expect(states.length).toBeGreaterThan(20);
    const outcomes = { notBegun: 0, resumed: 0, done: 0 };
    for (const state of states) {
      const fresh = !existsSync(join(state, "config.json"));
      const words = fresh ? training(state, 5, ...options) : ["train", `--resume=${state}`];
      const { code, stderr } = await inPlace(words);
      if (code === 2) {
        expect(stderr, state).toContain("has done all its 5 steps");
        outcomes.done++;
      } else {
        expect(code, `${state}: ${stderr}`).toBe(0);
        expect(leftovers(state)).toEqual([]);
        outcomes[fresh ? "notBegun" : "resumed"]++;
      }
      expect(await stateOf(state), state).toEqual(expected);
      expect(readdirSync(state)).toEqual(expect.arrayContaining(["report.html", "summary.json"]));
      expect(readFileSync(join(state, "metrics.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(5);
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  });

  it("a run folder that was moved goes on where it is", async () => {
    const moved = join(folder, "elsewhere", "my run");
    mkdirSync(join(folder, "elsewhere"));
    renameSync(run, moved);
    const { code, stderr } = await inPlace(["train", `--resume=${moved}`, "--steps=7"]);
    expect(code, stderr).toBe(0);
    expect((await stateOf(moved)).step).toBe(7);
    expect(existsSync(run)).toBe(false);
  });
});
