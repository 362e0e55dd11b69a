/** Products under a policy, forward and backward, against float64 computed from the formats' scalar encoders alone. */
import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { causalAttention } from "../../src/ops/attention.ts";
import { linear } from "../../src/ops/linear.ts";
import { reshape } from "../../src/ops/reshape.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Policy } from "../../src/precision/policy.ts";
import { normal } from "../../src/random/normal.ts";
import { streamKey } from "../../src/random/stream.ts";
import { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import { readTensor, type Tensor } from "../../src/tensor/tensor.ts";
import { get, matrix, roundedMatrix, times, transposed, type Matrix } from "./formats/rounded-matrix.ts";

const key = () => [1, 2] as const;
const exact = { policy: parsePolicy("fp32"), key };

const random = (name: string, rows: number, columns: number): Matrix => {
  const stream = streamKey(11, name, 0, "test");
  return matrix(rows, columns, (r, c) => Math.fround(normal(stream, r * columns + c)));
};

/** Operands of every role in a format; errors in another, so that roles cannot be mixed up. */
const formats: Record<string, object> = {
  "lns8-g8": { weight: "lns8-g16", activation: "lns8-g8", error: "lns8-g4" },
  "bf16 and float32": { weight: "bf16", activation: null, error: "bf16" },
  "activations alone": { activation: "lns8-g8" },
  "errors alone": { error: "lns8-g8" },
  "lns8-g8 per channel": {
    weight: { format: "lns8-g8", scale: "channel" },
    activation: { format: "lns8-g16", scale: "channel" },
    error: { format: "lns8-g4", scale: "channel" },
  },
  "fp8-e4m3, one scale a tensor": { weight: "fp8-e4m3", activation: "fp8-e4m3", error: "fp8-e5m2" },
  "mxfp4-e2m1": { weight: "mxfp4-e2m1", activation: "mxfp4-e2m1", error: "mxfp8-e4m3" },
  "mxfp6-e2m3 in blocks of 16, the weight per tensor": {
    weight: "int8",
    activation: { format: "mxfp6-e2m3", block: 16 },
    error: { format: "mxfp4-e2m1", block: 16 },
  },
};
const policies = Object.entries(formats).flatMap(([name, roles]) => {
  const { error: _, ...forward } = roles as Record<string, unknown>;
  return [
    { name: `${name}, both passes`, policy: parsePolicy({ ...roles, passes: "both" }) },
    { name: `${name}, forward only`, policy: parsePolicy({ ...forward, passes: "forward-only" }) },
  ];
});

/** Runs an operation and its backward pass from a given dy. */
async function run(
  inputs: readonly Matrix[],
  dy: Matrix,
  operation: (tensors: readonly Tensor[]) => Tensor,
): Promise<{ y: Matrix; gradients: Matrix[] }> {
  const device = new Device(createReferenceBackend());
  return device.step(async () => {
    const tensors = inputs.map((m) => ({ ...device.tensor(m.at, [m.rows, m.columns]), tracked: true }));
    const y = operation(tensors);
    const values = Float64Array.from(await readTensor(y));
    const flat = reshape(y, [1, dy.at.length]);
    const found = backward(linear(flat, device.tensor(dy.at, [1, dy.at.length]), null, exact));
    const gradients: Matrix[] = [];
    for (const [i, tensor] of tensors.entries()) {
      gradients.push({ ...inputs[i], at: Float64Array.from(await readTensor(found.get(tensor) ?? tensor)) });
    }
    // Nothing is left of codes, scales and decoded copies: inputs, their gradients, dy, the loss.
    const numbers = 2 * inputs.reduce((sum, { at }) => sum + at.length, 0) + dy.at.length + 1;
    expect(device.stepBytes).toBe(4 * numbers);
    return { y: { ...dy, at: values }, gradients };
  });
}

function expectClose(got: Matrix, wanted: Matrix): void {
  const size = Math.max(...wanted.at.map(Math.abs));
  const off = got.at.map((x, i) => Math.abs(x - wanted.at[i]) / size);
  expect(Math.max(...off)).toBeLessThan(1e-6);
}

const features = { channel: 1, reduction: 1 } as const;
const tokens = { channel: 1, reduction: 0 } as const;

/** y, dx, dw of a linear layer. */
function expectedLinear(x: Matrix, w: Matrix, dy: Matrix, policy: Policy): readonly Matrix[] {
  const { weight, activation, error } = policy;
  const y = times(
    roundedMatrix(x, activation, features),
    transposed(roundedMatrix(w, weight, { channel: 0, reduction: 1 })),
  );
  if (policy.passes === "forward-only") return [y, times(dy, w), times(transposed(dy), x)];
  const dx = times(
    roundedMatrix(dy, error, features),
    roundedMatrix(w, weight, { channel: 0, reduction: 0 }),
  );
  const dw = times(transposed(roundedMatrix(dy, error, tokens)), roundedMatrix(x, activation, tokens));
  return [y, dx, dw];
}

describe("a linear layer", () => {
  const [x, w, dy] = [random("x", 37, 40), random("w", 35, 40), random("dy", 37, 35)];
  it.each(policies)("computes with the rounded operands: $name", async ({ policy }) => {
    const { y, gradients } = await run([x, w], dy, ([a, b]) => linear(a, b, null, { policy, key }));
    const [wantedY, dx, dw] = expectedLinear(x, w, dy, policy);
    expectClose(y, wantedY);
    expectClose(gradients[0], dx);
    expectClose(gradients[1], dw);
  });
});

const shape = { batch: 2, length: 19, heads: 2, width: 20 };
const { batch, length, heads, width } = shape;

/** Columns `from` to `from + columns` of rows `row` to `row + rows`. */
const part = (m: Matrix, row: number, rows: number, from: number, columns: number): Matrix =>
  matrix(rows, columns, (r, c) => get(m, row + r, from + c));

/** Rounds a tensor of stacked matrices: whole where scales are shared, each matrix by itself where they are blocks. */
function roundedParts(
  whole: Matrix,
  precision: Policy["activation"],
  axes: { channel: 0 | 1; reduction: 0 | 1 },
  cut: (m: Matrix) => Matrix,
): Matrix {
  return precision?.scale === "block"
    ? roundedMatrix(cut(whole), precision, axes)
    : cut(roundedMatrix(whole, precision, axes));
}

function softmaxRow(scores: readonly number[], row: number): number[] {
  const seen = scores.map((s, c) => (c > row ? -Infinity : s / Math.sqrt(width)));
  const top = Math.max(...seen);
  const powers = seen.map((s) => Math.exp(s - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

const rowOf = (m: Matrix, r: number): number[] => [...m.at.subarray(r * m.columns, (r + 1) * m.columns)];

type Cut = (m: Matrix) => Matrix;

/** Stacks what each head of each sequence has, as the operation does: [batch · heads · length, length]. */
const stacked = (parts: readonly Matrix[]): Matrix => ({
  rows: parts.length * length,
  columns: length,
  at: Float64Array.from(parts.flatMap(({ at }) => [...at])),
});

/** y and dqkv of the attention. */
function expectedAttention(qkv: Matrix, dy: Matrix, policy: Policy): readonly [Matrix, Matrix] {
  const { activation } = policy;
  const both = policy.passes === "both";
  const [backA, backE] = both ? [policy.activation, policy.error] : [null, null];
  const places = Array.from({ length: batch * heads }, (_, i) => ({
    b: Math.floor(i / heads),
    head: i % heads,
  }));
  const third = (which: number, b: number, head: number): Cut => {
    return (m) => part(m, b * length, length, (which * heads + head) * width, width);
  };
  const joined =
    (b: number, head: number): Cut =>
    (m) =>
      part(m, b * length, length, head * width, width);
  const matrixAt =
    (i: number): Cut =>
    (m) =>
      part(m, i * length, length, 0, length);

  const p = places.map(({ b, head }) => {
    const q = roundedParts(qkv, activation, features, third(0, b, head));
    const k = roundedParts(qkv, activation, features, third(1, b, head));
    const s = times(q, transposed(k));
    return {
      ...s,
      at: Float64Array.from(Array.from({ length }, (_, r) => softmaxRow(rowOf(s, r), r)).flat()),
    };
  });
  const y = matrix(dy.rows, dy.columns, () => 0);
  const dqkv = matrix(qkv.rows, qkv.columns, () => 0);
  const put = (into: Matrix, m: Matrix, row: number, column: number): void => {
    for (let r = 0; r < m.rows; r++)
      for (let c = 0; c < m.columns; c++) into.at[(row + r) * into.columns + column + c] = get(m, r, c);
  };
  const ds = places.map(({ b, head }, i) => {
    const roundedP = roundedParts(stacked(p), activation, features, matrixAt(i));
    const out = times(roundedP, roundedParts(qkv, activation, tokens, third(2, b, head)));
    put(y, out, b * length, head * width);
    const backP = roundedParts(stacked(p), backA, tokens, matrixAt(i));
    const dv = times(transposed(backP), roundedParts(dy, backE, tokens, joined(b, head)));
    put(dqkv, dv, b * length, (2 * heads + head) * width);
    const dp = times(
      roundedParts(dy, backE, features, joined(b, head)),
      transposed(roundedParts(qkv, backA, features, third(2, b, head))),
    );
    return matrix(length, length, (r, c) => {
      const dot = rowOf(p[i], r).reduce((sum, value, j) => sum + value * get(dp, r, j), 0);
      return (get(p[i], r, c) * (get(dp, r, c) - dot)) / Math.sqrt(width);
    });
  });
  places.forEach(({ b, head }, i) => {
    const alongKeys = roundedParts(stacked(ds), backE, features, matrixAt(i));
    const alongQueries = roundedParts(stacked(ds), backE, tokens, matrixAt(i));
    const dq = times(alongKeys, roundedParts(qkv, backA, tokens, third(1, b, head)));
    const dk = times(transposed(alongQueries), roundedParts(qkv, backA, tokens, third(0, b, head)));
    put(dqkv, dq, b * length, head * width);
    put(dqkv, dk, b * length, (heads + head) * width);
  });
  return [y, dqkv];
}

describe("causal attention", () => {
  const qkv = random("qkv", batch * length, 3 * heads * width);
  const dy = random("dy of attention", batch * length, heads * width);
  it.each(policies)("computes with the rounded operands: $name", async ({ policy }) => {
    const { y, gradients } = await run([qkv], dy, ([x]) => causalAttention(x, batch, heads, { policy, key }));
    const [wantedY, wantedGradient] = expectedAttention(qkv, dy, policy);
    expectClose(y, wantedY);
    expectClose(gradients[0], wantedGradient);
  });
});
