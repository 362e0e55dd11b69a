import { expect, it } from "vitest";
import { bilinear } from "./bilinear.ts";

const plain = (pixels: readonly number[], height: number) => ({
  channels: 1, height, width: pixels.length / height, pixels: Float32Array.from(pixels),
}); // prettier-ignore

// From torch.nn.functional.interpolate(mode="bilinear", align_corners=False), PyTorch 1.13.
const larger = [0, 0.4, 1, 2.8, 4, 1, 2.4, 4.5, 7.8, 10, 2, 4.4, 8, 12.8, 16];
const smaller = [12.5814, 19.6134, 27.9372, 90.0169, 103.7376, 118.1015];

const expectClose = (found: Float32Array, wanted: readonly number[], digits: number): void => {
  expect(found.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, digits);
};

it("makes images larger as PyTorch does", () => {
  expectClose(bilinear(plain([0, 1, 4, 2, 8, 16], 2), 3, 5).pixels, larger, 5);
});

it("makes them smaller of the four pixels around, not of all that a new one covers", () => {
  const image = plain(
    Array.from({ length: 30 }, (_, i) => i ** 1.5),
    5,
  );
  expectClose(bilinear(image, 2, 3).pixels, smaller, 4);
});

it("keeps channels apart, and an image of the same size", () => {
  const grey = plain([0, 1, 4, 2, 8, 16], 2);
  const pixels = Float32Array.from({ length: 18 }, (_, i) => (1 + (i % 3)) * grey.pixels[Math.floor(i / 3)]);
  const found = bilinear({ ...grey, channels: 3, pixels }, 3, 5);
  expect(found).toMatchObject({ channels: 3, height: 3, width: 5 });
  expectClose(found.pixels, larger.flatMap((value) => [value, 2 * value, 3 * value]), 4);
  expect(bilinear(grey, 2, 3).pixels).toEqual(grey.pixels);
}); // prettier-ignore
