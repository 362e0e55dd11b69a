import { expect, it } from "vitest";
import { streamKey } from "./stream.ts";

it("gives each seed, tensor, step and purpose its own key, the same every time", () => {
  const streams: Parameters<typeof streamKey>[] = [
    [1, "w", 1, "init"],
    [2, "w", 1, "init"],
    [1 + 2 ** 32, "w", 1, "init"],
    [1, "v", 1, "init"],
    [1, "w", 2, "init"],
    [1, "w", 1 + 2 ** 32, "init"],
    [1, "w", 1, "dropout"],
    [1, "init", 1, "w"],
    [1, "ŵ", 1, "init"],
  ];
  const keys = streams.map((stream) => streamKey(...stream).join());
  expect(new Set(keys).size).toBe(streams.length);
  expect(streams.map((stream) => streamKey(...stream).join())).toEqual(keys);
});

it("keeps its keys from release to release: checkpoints rely on them", () => {
  expect(streamKey(0, "", 0, "")).toEqual([248559510, 3547066235]);
  expect(streamKey(42, "blocks.0.attention.weight", 7, "weight rounding")).toEqual([3732242612, 4229562612]);
});

it("refuses seeds and steps that are no counts", () => {
  expect(() => streamKey(-1, "w", 0, "init")).toThrow(/seed is -1/);
  expect(() => streamKey(0, "w", 1.5, "init")).toThrow(/step is 1.5/);
});
