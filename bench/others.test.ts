import { expect, it } from "vitest";
import { parseTicks } from "./others.ts";

it("adds the busy times of the machine, and those of a process and its children", () => {
  const stat = "cpu  100 1 20 9999 50 3 4 5 0 0\ncpu0 7 7 7 7 7 7 7 7 0 0\n";
  const self = "42 (a (odd) name) S 1 42 42 0 -1 4194304 100 200 0 0 30 6 8 2 20 0 1 0 12345\n";
  expect(parseTicks(stat, self)).toEqual({ machine: 133, own: 46 });
});
