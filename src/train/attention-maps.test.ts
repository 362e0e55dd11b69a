import { describe, expect, it } from "vitest";
import { classTokenMaps, type LayerAttention, textMaps } from "./attention-maps.ts";

const layer = (read: readonly number[], softmax: readonly number[] = read): LayerAttention => {
  const length = 3;
  return { layer: "h.0.attn", format: "fp32", heads: read.length / length ** 2, length, softmax, read };
};
const bytes = (shares: string): number[] => [...Buffer.from(shares, "base64")];

describe("maps of a text", () => {
  const causal = [1, 0, 0, 0.25, 0.75, 0, 0.5, 0.25, 0.25];

  it("keep each probability as a byte of the greatest", () => {
    const [map, other] = textMaps(layer([...causal, ...causal.map((p) => p / 2)]));
    expect(map.top).toBe(1);
    expect(bytes(map.shares)).toEqual([255, 0, 0, 64, 191, 0, 128, 64, 64]);
    expect([other.top, other.shares]).toEqual([0.5, map.shares]);
  });

  it("have figures, of the second token on where the first has no choice", () => {
    const [map] = textMaps(layer(causal));
    expect(map.self).toBeCloseTo((0.75 + 0.25) / 2);
    expect(map.previous).toBeCloseTo((0.25 + 0.25) / 2);
    expect(map.first).toBeCloseTo((0.25 + 0.5) / 2);
    expect(map.entropy).toBeCloseTo((0 + (0.5 + 0.75 * Math.log2(4 / 3)) + 1.5) / 3);
    expect(map.flushed).toBe(0);
  });

  it("tell what a format rounded to zero, and measure rounded rows in proportion", () => {
    const rounded = [1, 0, 0, 0, 0.75, 0, 0.5, 0.5, 0];
    const [map] = textMaps(layer(rounded, causal));
    expect(map.flushed).toBeCloseTo(2 / 6);
    expect(map.entropy).toBeCloseTo(1 / 3);
    const [none] = textMaps(layer(rounded.map(() => 0)));
    expect([none.top, none.entropy, none.flushed]).toEqual([0, 0, 0]);
  });
});

it("maps of an image are what the first token sees of the others", () => {
  const [map] = classTokenMaps(layer([0.5, 0.125, 0.375, 1, 0, 0, 1, 0, 0]));
  expect(bytes(map.shares)).toEqual([85, 255]);
  expect([map.top, map.self]).toEqual([0.375, 0.5]);
  expect(map.entropy).toBeCloseTo(0.5 + 0.375 + 0.375 * Math.log2(8 / 3));
});
