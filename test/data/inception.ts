/** Inception-v3 for tests: random weights as they are published, and the network written out in float64. */
import type { SafetensorsTensor } from "../../src/io/safetensors.ts";
import {
  auxiliaryTensors,
  type InceptionConfig,
  inceptionTensors,
} from "../../src/models/inception-layers.ts";
import { normal } from "../../src/random/normal.ts";
import { streamKey } from "../../src/random/stream.ts";

/** Tensors by their published names: weights that keep activations in size, and norms that are not idle. */
export function inceptionCheckpoint(config: InceptionConfig, auxiliary = false): Map<string, SafetensorsTensor> {
  const all = [...inceptionTensors(config), ...(auxiliary ? auxiliaryTensors(config) : [])];
  return new Map(all.map(({ name, shape }) => [name, tensorOf(name, shape)]));
} // prettier-ignore

function tensorOf(name: string, shape: readonly number[]): SafetensorsTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const key = streamKey(3, name, 0, "test");
  const fanIn = size / shape[0];
  const spread = name.endsWith("weight") && shape.length > 1 ? Math.sqrt(2 / fanIn) : 0.2;
  const [middle, floor] = /running_var|bn\.weight/.test(name) ? [1, 0.3] : [0, -Infinity];
  const values = Float32Array.from({ length: size }, (_, i) =>
    Math.max(floor, middle + spread * normal(key, i)),
  );
  return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
}

/** [height, width, channels] */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly values: Float64Array;
}

type Weights = ReadonlyMap<string, SafetensorsTensor>;
type Pair = readonly [number, number];

const numbers = (weights: Weights, name: string): Float32Array => {
  const { bytes } = weights.get(name) ?? { bytes: new Uint8Array() };
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
};

/** One after the other: convolution, batch norm, rectifier. */
function basic(x: Plane, w: Weights, name: string, kernel: Pair, stride: number, padding: Pair): Plane {
  const weight = numbers(w, `${name}.conv.weight`);
  const [gain, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((role) =>
    numbers(w, `${name}.bn.${role}`),
  );
  const channels = gain.length;
  const height = Math.floor((x.height + 2 * padding[0] - kernel[0]) / stride) + 1;
  const width = Math.floor((x.width + 2 * padding[1] - kernel[1]) / stride) + 1;
  const values = new Float64Array(height * width * channels);
  for (let oy = 0; oy < height; oy++)
    for (let ox = 0; ox < width; ox++)
      for (let o = 0; o < channels; o++) {
        let sum = 0;
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const [iy, ix] = [oy * stride + ky - padding[0], ox * stride + kx - padding[1]];
            if (iy < 0 || iy >= x.height || ix < 0 || ix >= x.width) continue;
            for (let c = 0; c < x.channels; c++)
              sum +=
                x.values[(iy * x.width + ix) * x.channels + c] *
                weight[((o * x.channels + c) * kernel[0] + ky) * kernel[1] + kx];
          }
        const normed = ((sum - mean[o]) / Math.sqrt(variance[o] + 0.001)) * gain[o] + bias[o];
        values[(oy * width + ox) * channels + o] = Math.max(0, normed);
      }
  return { height, width, channels, values };
}

/** @param how  the greatest of what is inside, its mean, or its sum by nine. */
function pooled(x: Plane, how: "maximum" | "mean inside" | "mean of nine", stride: number, padding: number): Plane {
  const size = (length: number): number => Math.floor((length + 2 * padding - 3) / stride) + 1;
  const [height, width] = [size(x.height), size(x.width)];
  const values = new Float64Array(height * width * x.channels);
  for (let at = 0; at < values.length; at++) {
    const [c, pixel] = [at % x.channels, Math.floor(at / x.channels)];
    const [top, left] = [Math.floor(pixel / width) * stride - padding, (pixel % width) * stride - padding];
    const window: number[] = [];
    for (let y = Math.max(0, top); y < Math.min(x.height, top + 3); y++)
      for (let i = Math.max(0, left); i < Math.min(x.width, left + 3); i++)
        window.push(x.values[(y * x.width + i) * x.channels + c]);
    const sum = window.reduce((total, value) => total + value, 0);
    values[at] = how === "maximum" ? Math.max(...window) : sum / (how === "mean inside" ? window.length : 9);
  }
  return { height, width, channels: x.channels, values };
} // prettier-ignore

function joined(...parts: readonly Plane[]): Plane {
  const { height, width } = parts[0];
  const channels = parts.reduce((sum, part) => sum + part.channels, 0);
  const rows = Array.from({ length: height * width }, (_, pixel) =>
    parts.flatMap((part) => [...part.values.subarray(pixel * part.channels, (pixel + 1) * part.channels)]),
  );
  return { height, width, channels, values: Float64Array.from(rows.flat()) };
}

/** The network as torchvision's `forward` and pytorch-fid's patches of it go. @returns features and logits */
export function inceptionForward(image: Plane, w: Weights, isFid: boolean) {
  const at = (x: Plane, name: string, kernel: Pair, padding: Pair = [0, 0], stride = 1): Plane =>
    basic(x, w, name, kernel, stride, padding);
  const one = (x: Plane, name: string): Plane => at(x, name, [1, 1]);
  const three = (x: Plane, name: string): Plane => at(x, name, [3, 3], [1, 1]);
  const row = (x: Plane, name: string): Plane => at(x, name, [1, 7], [0, 3]);
  const column = (x: Plane, name: string): Plane => at(x, name, [7, 1], [3, 0]);
  const mean = (x: Plane): Plane => pooled(x, isFid ? "mean inside" : "mean of nine", 1, 1);
  const half = (x: Plane): Plane => pooled(x, "maximum", 2, 0);
  const a = (x: Plane, n: string): Plane =>
    joined(
      one(x, `${n}.branch1x1`),
      at(one(x, `${n}.branch5x5_1`), `${n}.branch5x5_2`, [5, 5], [2, 2]),
      three(three(one(x, `${n}.branch3x3dbl_1`), `${n}.branch3x3dbl_2`), `${n}.branch3x3dbl_3`),
      one(mean(x), `${n}.branch_pool`),
    );
  const b = (x: Plane, n: string): Plane =>
    joined(
      at(x, `${n}.branch3x3`, [3, 3], [0, 0], 2),
      at(three(one(x, `${n}.branch3x3dbl_1`), `${n}.branch3x3dbl_2`), `${n}.branch3x3dbl_3`, [3, 3], [0, 0], 2),
      half(x),
    ); // prettier-ignore
  const c = (x: Plane, n: string): Plane => {
    let twice = one(x, `${n}.branch7x7dbl_1`);
    for (const i of [2, 4]) twice = row(column(twice, `${n}.branch7x7dbl_${i}`), `${n}.branch7x7dbl_${i + 1}`);
    return joined(
      one(x, `${n}.branch1x1`),
      column(row(one(x, `${n}.branch7x7_1`), `${n}.branch7x7_2`), `${n}.branch7x7_3`),
      twice,
      one(mean(x), `${n}.branch_pool`),
    );
  }; // prettier-ignore
  const d = (x: Plane, n: string): Plane =>
    joined(
      at(one(x, `${n}.branch3x3_1`), `${n}.branch3x3_2`, [3, 3], [0, 0], 2),
      at(
        column(row(one(x, `${n}.branch7x7x3_1`), `${n}.branch7x7x3_2`), `${n}.branch7x7x3_3`),
        `${n}.branch7x7x3_4`, [3, 3], [0, 0], 2,
      ),
      half(x),
    ); // prettier-ignore
  const crossed = (x: Plane, n: string): Plane =>
    joined(at(x, `${n}a`, [1, 3], [0, 1]), at(x, `${n}b`, [3, 1], [1, 0]));
  const e = (x: Plane, n: string, pool: (x: Plane) => Plane): Plane =>
    joined(
      one(x, `${n}.branch1x1`),
      crossed(one(x, `${n}.branch3x3_1`), `${n}.branch3x3_2`),
      crossed(three(one(x, `${n}.branch3x3dbl_1`), `${n}.branch3x3dbl_2`), `${n}.branch3x3dbl_3`),
      one(pool(x), `${n}.branch_pool`),
    );
  let x = at(image, "Conv2d_1a_3x3", [3, 3], [0, 0], 2);
  x = half(three(at(x, "Conv2d_2a_3x3", [3, 3]), "Conv2d_2b_3x3"));
  x = half(at(one(x, "Conv2d_3b_1x1"), "Conv2d_4a_3x3", [3, 3]));
  for (const name of ["Mixed_5b", "Mixed_5c", "Mixed_5d"]) x = a(x, name);
  x = b(x, "Mixed_6a");
  for (const name of ["Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"]) x = c(x, name);
  x = e(d(x, "Mixed_7a"), "Mixed_7b", mean);
  x = e(x, "Mixed_7c", isFid ? (last) => pooled(last, "maximum", 1, 1) : mean);
  const pixels = x.height * x.width;
  const features = Array.from({ length: x.channels }, (_, channel) => {
    let sum = 0;
    for (let i = 0; i < pixels; i++) sum += x.values[i * x.channels + channel];
    return sum / pixels;
  });
  const [head, bias] = [numbers(w, "fc.weight"), numbers(w, "fc.bias")];
  const logits = Array.from(bias, (start, o) =>
    features.reduce((sum, value, i) => sum + value * head[o * features.length + i], start),
  );
  return { features, logits };
}
