import { describe, expect, it } from "vitest";
import { comparisonsOf, formatComparison } from "./compare.ts";
import type { TaskResult } from "./protocol.ts";

const ours = { name: "logrung" };
const peer = { name: "peer 1.0" };
const result = (task: string, milliseconds: number): TaskResult => ({
  task,
  milliseconds,
  steps: 9,
  peakBytes: 2e8,
});

describe("comparisonsOf", () => {
  it("takes medians over the rounds, in the unit of the task", () => {
    const results = new Map([
      [ours, [result("gemm 1000", 20), result("gemm 1000", 10), result("gemm 1000", 90)]],
      [peer, [result("gemm 1000", 40)]],
    ]);
    expect(comparisonsOf([ours, peer], results)).toEqual([
      {
        name: "gemm 1000",
        unit: "GFLOP/s",
        moreIsBetter: true,
        values: { logrung: 100, "peer 1.0": 50 },
        failures: {},
      },
    ]);
  });

  it("has nothing for a side that did not run", () => {
    const rows = comparisonsOf([ours, peer], new Map([[ours, [result("gpt", 512)]]]));
    expect(rows.map(({ unit, values }) => [unit, values])).toEqual([
      ["tokens/s", { logrung: 2000, "peer 1.0": null }],
      ["MB peak", { logrung: 200, "peer 1.0": null }],
    ]);
  });
});

describe("formatComparison", () => {
  it("says how many times better ours is, less time and memory being better", () => {
    const results = new Map([
      [ours, [result("adam", 5)]],
      [peer, [result("adam", 100)]],
    ]);
    const [, row] = formatComparison(comparisonsOf([ours, peer], results)).split("\n");
    expect(row).toMatch(/^adam +ms +5 +100 +20\.00 ×$/);
  });

  it("leaves the ratio out where a side has nothing of the kind", () => {
    const text = formatComparison(comparisonsOf([ours, peer], new Map([[ours, [result("adam", 5)]]])));
    expect(text.split("\n")[1]).toMatch(/5 +has none$/);
  });

  it("says why a side could not run", () => {
    const failures = new Map([[peer, "no such kernel"]]);
    const text = formatComparison(
      comparisonsOf([ours, peer], new Map([[ours, [result("convnet", 64)]]]), failures),
    );
    const lines = text.split("\n");
    expect(lines[1]).toMatch(/^convnet +images\/s +1000 +cannot run$/);
    expect(lines.slice(3)).toEqual(["", "convnet in peer 1.0: no such kernel"]);
  });
});
