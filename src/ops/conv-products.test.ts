import { afterAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import { readValues, type Tensor } from "../tensor/tensor.ts";
import { convGeometry, pixelsOf, type ConvGeometry, type ImageShape } from "./conv-geometry.ts";
import { convolve, convolveInput, convolveWeights } from "./conv-products.ts";

const devices = [
  { name: "wasm", device: new Device(await createWasmBackend({ threads: 2 })) },
  { name: "reference", device: new Device(createReferenceBackend()) },
];
afterAll(() => Promise.all(devices.map(({ device }) => device.close())));

const image = (height: number, width: number, channels: number, batch = 2): ImageShape => ({
  batch, height, width, channels,
}); // prettier-ignore

const geometries: readonly (readonly [string, ConvGeometry])[] = [
  ["3×3, padding 1", convGeometry(image(5, 6, 4), 8, { kernel: [3, 3], padding: 1 })],
  ["3×3 on three channels", convGeometry(image(6, 5, 3), 5, { kernel: [3, 3], padding: 1 })],
  ["3×3, stride 2", convGeometry(image(7, 8, 4), 4, { kernel: [3, 3], padding: 1, stride: 2 })],
  ["patches: 4×4, stride 4", convGeometry(image(8, 8, 3), 6, { kernel: [4, 4], stride: 4 })],
  ["1×1, stride 2", convGeometry(image(5, 5, 8), 4, { kernel: [1, 1], stride: 2 })],
  ["dilation 2", convGeometry(image(7, 7, 4), 3, { kernel: [3, 2], padding: 2, dilation: 2 })],
  ["windows with gaps between", convGeometry(image(8, 7, 4), 5, { kernel: [2, 2], stride: 3, padding: 1 })],
  [
    "stride and dilation of 2",
    convGeometry(image(9, 8, 4), 5, { kernel: [3, 3], stride: 2, dilation: 2, padding: 1 }),
  ],
  [
    "two groups, stride 2",
    convGeometry(image(6, 5, 8), 6, { kernel: [3, 3], padding: 1, stride: 2, groups: 2 }),
  ],
  ["two groups", convGeometry(image(4, 4, 8), 6, { kernel: [3, 3], padding: 1, groups: 2 })],
  ["depthwise", convGeometry(image(5, 4, 6), 6, { kernel: [3, 3], padding: 1, groups: 6 })],
  ["1×7, zeros left and right", convGeometry(image(4, 8, 4), 5, { kernel: [1, 7], padding: [0, 3] })],
  ["7×1, zeros above and below", convGeometry(image(8, 4, 4), 5, { kernel: [7, 1], padding: [3, 0] })],
  [
    "other zeros each way, stride 2",
    convGeometry(image(6, 7, 4), 3, { kernel: [3, 2], padding: [2, 1], stride: 2 }),
  ],
  ["more padding than window", convGeometry(image(3, 3, 4), 4, { kernel: [2, 2], padding: 3 })],
];

const random = (length: number, key: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => normal([key, 7], i));

/** Calls `visit` with the places of y, x and w of every product. */
function forEachTerm(g: ConvGeometry, visit: (y: number, x: number, w: number) => void): void {
  const { input, output, kernel, stride, padding, dilation, groups, depth } = g;
  const [inGroup, outGroup] = [input.channels / groups, output.channels / groups];
  for (let n = 0; n < output.batch; n++)
    for (let oy = 0; oy < output.height; oy++)
      for (let ox = 0; ox < output.width; ox++)
        for (let o = 0; o < output.channels; o++)
          for (let i = 0; i < depth; i++) {
            const [tap, c] = [Math.floor(i / inGroup), i % inGroup];
            const iy = oy * stride + Math.floor(tap / kernel[1]) * dilation - padding[0];
            const ix = ox * stride + (tap % kernel[1]) * dilation - padding[1];
            if (iy < 0 || iy >= input.height || ix < 0 || ix >= input.width) continue;
            const channel = Math.floor(o / outGroup) * inGroup + c;
            const y = ((n * output.height + oy) * output.width + ox) * output.channels + o;
            const x = ((n * input.height + iy) * input.width + ix) * input.channels + channel;
            visit(y, x, o * depth + i);
          }
}

const expectClose = (got: ArrayLike<number>, want: Float64Array): void => {
  expect(got.length).toBe(want.length);
  const worst = want.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i])), 0);
  expect(worst).toBeLessThan(2e-5);
};

describe.each(devices)("$name", ({ device }) => {
  it.each(geometries)("convolves as the definition says: %s", async (_name, g) => {
    const [inputs, outputs] = [pixelsOf(g.input) * g.input.channels, pixelsOf(g.output) * g.output.channels];
    const [x, w] = [random(inputs, 1), random(g.output.channels * g.depth, 2)];
    const [b, dy] = [random(g.output.channels, 3), random(outputs, 4)];
    const want = {
      y: Float64Array.from({ length: outputs }, (_, i) => b[i % g.output.channels]),
      dx: new Float64Array(inputs),
      dw: new Float64Array(w.length),
    };
    forEachTerm(g, (yi, xi, wi) => {
      want.y[yi] += x[xi] * w[wi];
      want.dx[xi] += dy[yi] * w[wi];
      want.dw[wi] += dy[yi] * x[xi];
    });
    await device.step(async () => {
      const pixels = (data: Float32Array, channels: number): Tensor =>
        device.tensor(data, [data.length / channels, channels]);
      const [tx, tdy] = [pixels(x, g.input.channels), pixels(dy, g.output.channels)];
      const tw = device.tensor(w, [g.output.channels, g.depth]);
      const tb = device.tensor(b, [b.length]);
      expectClose(await readValues(convolve({ tensor: tx }, tw, tb, g)), want.y);
      expectClose(await readValues(convolveInput({ tensor: tdy }, { tensor: tw }, g)), want.dx);
      expectClose(await readValues(convolveWeights({ tensor: tdy }, { tensor: tx }, g)), want.dw);
    });
  });
});

describe("convGeometry", () => {
  it("refuses what does not fit", () => {
    expect(() => convGeometry(image(4, 4, 3), 4, { kernel: [5, 5] })).toThrow(
      /5×5 window .* 4×4.*does not fit/,
    );
    expect(() => convGeometry(image(4, 4, 3), 4, { kernel: [3, 3], groups: 2 })).toThrow(/2 groups/);
    expect(() => convGeometry(image(4, 4, 3), 4, { kernel: [3, 3], stride: 0 })).toThrow(/stride is 0/);
    expect(() => convGeometry(image(4, 4, 3), 4, { kernel: [3, 3], padding: [0, -1] })).toThrow(
      /padding is 0, -1/,
    );
  });
});
