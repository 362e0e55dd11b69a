/** Convolutions in blocks, forward and backward, against float64 computed from the formats' scalar encoders alone. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { conv2d } from "../../src/ops/conv2d.ts";
import {
  convGeometry,
  paddedInput,
  patchOffsets,
  pixelsOf,
  type ConvGeometry,
  type ConvOptions,
  type ImageShape,
  type Offsets,
  type Spread,
} from "../../src/ops/conv-geometry.ts";
import { gradientPlan } from "../../src/ops/conv-gradient-geometry.ts";
import { linear } from "../../src/ops/linear.ts";
import { reshape } from "../../src/ops/reshape.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Policy, TensorPrecision } from "../../src/precision/policy.ts";
import { normal } from "../../src/random/normal.ts";
import { streamKey } from "../../src/random/stream.ts";
import { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import { readTensor } from "../../src/tensor/tensor.ts";
import { get, matrix, roundedMatrix, times, transposed, type Matrix } from "./formats/rounded-matrix.ts";

const key = () => [1, 2] as const;
const exact = { policy: parsePolicy("fp32"), key };

const image = (height: number, width: number, channels: number): ImageShape => ({
  batch: 2, height, width, channels,
}); // prettier-ignore

/** Shape, output channels, options; the blocks of some are those of a pixel's channels. */
const geometries: Readonly<Record<string, readonly [ImageShape, number, ConvOptions]>> = {
  "channels of one block": [image(4, 3, 32), 32, { kernel: [3, 3], padding: 1 }],
  "three channels": [image(5, 5, 3), 5, { kernel: [3, 3], padding: 1 }],
  "two groups of one block each": [image(2, 3, 64), 64, { kernel: [3, 3], padding: 1, groups: 2 }],
  "small groups": [image(4, 5, 8), 6, { kernel: [3, 3], padding: 1, groups: 2 }],
  "stride and dilation": [image(6, 7, 16), 32, { kernel: [3, 2], padding: 2, stride: 2, dilation: 2 }],
  "one tap of every second pixel": [image(5, 5, 32), 8, { kernel: [1, 1], stride: 2 }],
};

const policies: Readonly<Record<string, Policy>> = {
  "mxfp4-e2m1, errors mxfp6-e2m3": parsePolicy({
    weight: "mxfp4-e2m1",
    activation: "mxfp4-e2m1",
    error: "mxfp6-e2m3",
    passes: "both",
  }),
  "mxfp6-e2m3 in blocks of 16": parsePolicy({
    weight: { format: "mxfp6-e2m3", block: 16 },
    activation: { format: "mxfp6-e2m3", block: 16 },
    error: { format: "mxfp6-e2m3", block: 16 },
    passes: "both",
  }),
  "mxfp8-e4m3": parsePolicy({
    weight: "mxfp8-e4m3",
    activation: "mxfp8-e4m3",
    error: "mxfp8-e4m3",
    passes: "both",
  }),
  "mxint8 forward only": parsePolicy({ weight: "mxint8", activation: "mxint8", passes: "forward-only" }),
  "activations alone": parsePolicy({ activation: "mxfp4-e2m1", passes: "both" }),
};

/** Those whose products are all sums of integers, which are exact. */
const integers = ["mxfp4-e2m1, errors mxfp6-e2m3", "mxfp6-e2m3 in blocks of 16"] as const;

const random = (name: string, rows: number, columns: number): Matrix => {
  const stream = streamKey(11, name, 0, "test");
  return matrix(rows, columns, (r, c) => Math.fround(normal(stream, r * columns + c)));
};

interface Gradients {
  readonly y: ArrayLike<number>;
  readonly dx: ArrayLike<number>;
  readonly dw: ArrayLike<number>;
}

/** y, dx and dw of the operation from a given dy. */
async function run(
  backend: Backend,
  [shape, , options]: readonly [ImageShape, number, ConvOptions],
  [x, w, dy]: readonly Matrix[],
  policy: Policy,
): Promise<Gradients> {
  const device = new Device(backend);
  return device.step(async () => {
    const [pixels, weight] = [x, w].map((m) => ({
      ...device.tensor(m.at, [m.rows, m.columns]),
      tracked: true,
    }));
    const y = conv2d({ pixels, shape }, weight, null, options, { policy, key }).pixels;
    const values = await readTensor(y);
    const flat = reshape(y, [1, dy.at.length]);
    const found = backward(linear(flat, device.tensor(dy.at, [1, dy.at.length]), null, exact));
    const of = (tensor: typeof pixels) => readTensor(found.get(tensor) ?? tensor);
    const result = { y: values, dx: await of(pixels), dw: await of(weight) };
    // Nothing is left of codes, scales, spread and decoded copies: inputs, their gradients, dy, the loss.
    expect(device.stepBytes).toBe(4 * (2 * x.at.length + 2 * w.at.length + dy.at.length + 1));
    return result;
  });
}

const wide = { channel: 1, reduction: 1 } as const;
const tall = { channel: 1, reduction: 0 } as const;

const spreadOut = (m: Matrix, spread: Spread | null): Matrix =>
  spread
    ? matrix(spread.source.length, m.columns, (r, c) =>
        spread.source[r] < 0 ? 0 : get(m, spread.source[r], c),
      )
    : m;
const gather = ({ at }: Matrix, { rows, columns }: Offsets, start: number): Matrix =>
  matrix(rows.length, columns.length, (r, c) => at[start + rows[r] + columns[c]]);

/** Blocks of a matrix along the sum; those of codes of an image, along its channels, are the same where they divide. */
function expected(g: ConvGeometry, [x, w, dy]: readonly Matrix[], policy: Policy): Gradients {
  const { weight, activation, passes } = policy;
  const both = passes === "both";
  const [error, backWeight, backActivation] = both
    ? [policy.error, weight, activation]
    : ([null, null, null] as const);
  const [inGroup, outGroup] = [g.input.channels / g.groups, g.output.channels / g.groups];
  const y = matrix(dy.rows, dy.columns, () => 0);
  const dx = matrix(x.rows, x.columns, () => 0);
  const dw = matrix(w.rows, w.columns, () => 0);
  const put = (into: Matrix, m: Matrix, row: number, column: number): void => {
    for (let r = 0; r < m.rows; r++)
      for (let c = 0; c < m.columns; c++) into.at[(row + r) * into.columns + column + c] = get(m, r, c);
  };
  const kept = roundedMatrix(x, backActivation, tall);
  for (let group = 0; group < g.groups; group++) {
    const patches = gather(spreadOut(x, paddedInput(g)), patchOffsets(g), group * inGroup);
    const weights = matrix(outGroup, g.depth, (r, c) => get(w, group * outGroup + r, c));
    const rounded = (m: Matrix, precision: TensorPrecision | null, axes: typeof wide | typeof tall) =>
      roundedMatrix(m, precision, axes);
    put(y, times(rounded(patches, activation, wide), transposed(rounded(weights, weight, wide))), 0, group * outGroup);
    const { field, phases, places } = gradientPlan(g);
    const byPhase = phases.map(({ patches: offsets, kernel }) => {
      const errors = gather(spreadOut(dy, field), offsets, group * outGroup);
      const mirrored = gather(w, kernel, group * outGroup * g.depth);
      return times(rounded(errors, error, wide), rounded(mirrored, backWeight, tall));
    });
    const all = matrix(
      byPhase.reduce((sum, { rows }) => sum + rows, 0),
      inGroup,
      () => 0,
    );
    all.at.set(byPhase.flatMap(({ at }) => [...at]));
    put(dx, spreadOut(all, places), 0, group * inGroup);
    const ofGroup = matrix(outGroup, dy.rows, (r, c) => get(dy, c, group * outGroup + r));
    const again = gather(spreadOut(kept, paddedInput(g)), patchOffsets(g), group * inGroup);
    put(dw, times(rounded(ofGroup, error, wide), rounded(again, backActivation, tall)), group * outGroup, 0);
  }
  return { y: y.at, dx: dx.at, dw: dw.at };
} // prettier-ignore

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, within: number): void {
  const values = Array.from(wanted);
  const size = Math.max(...values.map(Math.abs));
  const off = values.map((value, i) => Math.abs(got[i] - value) / size);
  expect(Math.max(...off)).toBeLessThanOrEqual(within);
}

describe.each(Object.entries(geometries))("a convolution in blocks: %s", (_shape, given) => {
  const [shape, out, options] = given;
  const g = convGeometry(shape, out, options);
  const inputs = [
    random("x", pixelsOf(g.input), shape.channels),
    random("w", out, g.depth),
    random("dy", pixelsOf(g.output), out),
  ];
  let wasm: Backend;
  beforeAll(async () => {
    wasm = await createWasmBackend({ threads: 2 });
  });
  afterAll(() => wasm.close());

  it.each(Object.entries(policies))("computes with the rounded operands: %s", async (_name, policy) => {
    const want = expected(g, inputs, policy);
    for (const backend of [createReferenceBackend(), wasm]) {
      const got = await run(backend, given, inputs, policy);
      for (const name of ["y", "dx", "dw"] as const) expectClose(got[name], want[name], 1e-6);
    }
  });

  it.each(integers)("has the same bits on every backend: %s", async (name) => {
    const judged = await run(createReferenceBackend({ precision: "float32" }), given, inputs, policies[name]);
    const got = await run(wasm, given, inputs, policies[name]);
    for (const of of ["y", "dx", "dw"] as const) expect(Array.from(got[of])).toEqual(Array.from(judged[of]));
  });

  it("equals the convolution in float32 where nothing is rounded and sums are exact", async () => {
    const whole = inputs.map((m) => ({ ...m, at: m.at.map((_, i) => ((i * 7) % 9) - 4) }));
    const formats = { weight: "mxfp6-e2m3", activation: "mxfp6-e2m3", error: "mxint8" };
    const blocks = await run(wasm, given, whole, parsePolicy({ ...formats, passes: "both" }));
    const floats = await run(wasm, given, whole, parsePolicy("fp32"));
    for (const name of ["y", "dx", "dw"] as const)
      expect(Array.from(blocks[name])).toEqual(Array.from(floats[name]));
  });
});
