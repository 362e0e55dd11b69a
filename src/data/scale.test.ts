import { describe, expect, it } from "vitest";
import type { Image } from "./image.ts";
import { fitted, scaledPart } from "./scale.ts";

const ramp = (height: number, width: number, value: (y: number, x: number) => number): Image => ({
  channels: 1,
  height,
  width,
  pixels: Float32Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width)),
});
const close = (image: Image, wanted: readonly number[]): void =>
  image.pixels.forEach((pixel, i) => expect(pixel).toBeCloseTo(wanted[i], 5));

describe("scaledPart", () => {
  const whole = (image: Image) => ({ top: 0, left: 0, height: image.height, width: image.width });

  it("is bilinear where an image grows, edges repeated", () => {
    const image = ramp(1, 2, (_, x) => x);
    close(scaledPart(image, whole(image), 1, 4), [0, 0.25, 0.75, 1]);
  });

  it("averages over all that a pixel covers where it shrinks", () => {
    const stripes = ramp(8, 8, (_, x) => x % 2);
    const small = scaledPart(stripes, whole(stripes), 2, 2);
    for (const pixel of small.pixels) expect(Math.abs(pixel - 0.5)).toBeLessThan(0.05);
    // Weights of the triangle of reach 2 about pixel 0's centre at 1: 1/4·(½, 1½, 1½, ½) over the sides that are there.
    const image = ramp(1, 4, (_, x) => [1, 0, 0, 0][x]);
    close(scaledPart(image, whole(image), 1, 2), [0.75 / 1.75, 0]);
  });

  it("keeps planes of colour and linear ramps as they are", () => {
    const image = ramp(9, 9, (y, x) => 2 * y + x);
    close(scaledPart(image, { top: 3, left: 2, height: 4, width: 4 }, 2, 2), [9.5, 11.5, 13.5, 15.5]);
  });
});

describe("fitted", () => {
  it("takes the middle", () => {
    const image = ramp(2, 6, (_, x) => x);
    close(fitted(image, 2, 2), [2, 3, 2, 3]);
    expect(fitted(image, 2, 6)).toBe(image);
  });
});
