import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attention, type AttentionKernel, type AttentionOptions, type AttentionSizes } from "../attention.ts";
import type { Backend, BufferSlice, HostArray } from "../backend.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { createWasmBackend } from "./index.ts";

/** Numbers of a normal size, the same at every run. */
const waves = (length: number, seed: number, size = 1): Float32Array =>
  Float32Array.from(
    { length },
    (_, i) => size * 1.5 * Math.sin((i + 1) * (seed + 0.618) * 12.9898 + i * i * 0.0137),
  );

interface Shape {
  readonly outer: number;
  readonly inner: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly causal: boolean;
}

/** Heads side by side in rows, gaps between rows. */
function sizesOf(s: Shape): AttentionSizes {
  const row = s.inner * s.width + 3;
  const lies = (rows: number) => ({ outer: rows * row, inner: s.width, row });
  const [query, key] = [lies(s.queries), lies(s.keys)];
  return { ...s, strides: { q: query, k: key, v: key, y: query, dy: query, dq: query, dk: key, dv: key } };
}

interface Kernels {
  readonly forward: AttentionKernel;
  readonly backward: AttentionKernel;
}
const kernelsOf = (options: AttentionOptions): Kernels => ({
  forward: attention("forward", "forward", options),
  backward: attention("backward", "backward", options),
});
const plain = kernelsOf({});
const dropping = kernelsOf({ dropout: true });
const coded = kernelsOf({ operands: "coded" });

type Data = Readonly<Record<string, HostArray>>;
const OUTPUTS = ["y", "lse", "dq", "dk", "dv"] as const;
type Answer = Readonly<Record<(typeof OUTPUTS)[number], HostArray>>;

const UNTOUCHED = -7;

function dataOf(s: Shape, size = 1): Data {
  const row = s.inner * s.width + 3;
  const [query, key] = [s.outer * s.queries * row, s.outer * s.keys * row];
  return { q: waves(query, 1, size), k: waves(key, 2, size), v: waves(key, 3), dy: waves(query, 4) };
}

async function run(
  backend: Backend,
  { forward, backward }: Kernels,
  s: Shape,
  data: Data,
  more: Readonly<Record<string, number>> = {},
): Promise<Answer> {
  const place = (array: HostArray): BufferSlice => {
    const slice = { buffer: backend.allocate(array.byteLength), offset: 0 };
    backend.write(slice, array);
    return slice;
  };
  const inputs = Object.fromEntries(Object.entries(data).map(([name, array]) => [name, place(array)]));
  const lengths = {
    y: data.dy.length, lse: s.outer * s.inner * s.queries, dq: data.q.length, dk: data.k.length, dv: data.k.length,
  };
  const made = Object.fromEntries(
    OUTPUTS.map((name) => [name, place(new Float32Array(lengths[name]).fill(UNTOUCHED))]),
  );
  const { y, lse, dq, dk, dv } = made;
  const uniforms = { scale: 1 / Math.sqrt(s.width), ...more };
  const sizes = sizesOf(s);
  backend.run(backend.compile(forward), { inputs, outputs: { y, lse }, uniforms, sizes });
  backend.run(backend.compile(backward), {
    inputs: { ...inputs, y, lse }, outputs: { dq, dk, dv }, uniforms, sizes,
  });
  const answers: Partial<Record<keyof Answer, HostArray>> = {};
  for (const name of OUTPUTS) answers[name] = await backend.read(made[name], "f32", lengths[name]);
  for (const slice of [...Object.values(inputs), ...Object.values(made)]) backend.free(slice.buffer);
  return answers as Answer;
} // prettier-ignore

/**
 * The largest error of each answer is small beside the largest magnitude of the judge's, or beside 1, the size of the
 * operands, where their products cancel: one key's lse is a single dot product, and its dS is 0.
 */
function expectNear(got: Answer, judged: Answer, tolerance: number, what: string): void {
  for (const name of OUTPUTS) {
    let [top, error] = [1, 0];
    for (let i = 0; i < judged[name].length; i++) {
      if (judged[name][i] !== UNTOUCHED) top = Math.max(top, Math.abs(judged[name][i]));
      const off = Math.abs(got[name][i] - judged[name][i]);
      error = off <= error ? error : off;
    }
    expect(error, `${what}: ${name}`).toBeLessThanOrEqual(tolerance * top);
  }
}

const shapes: readonly Shape[] = [
  ...[1, 3, 17, 64, 129].flatMap((length, i) =>
    [1, 8, 20, 64].flatMap((width, j) =>
      [true, false].map((causal) => ({
        outer: length > 64 ? 1 : 1 + (i % 2), inner: 1 + (j % 2), queries: length, keys: length, width, causal,
      })),
    ),
  ),
  { outer: 1, inner: 2, queries: 5, keys: 300, width: 16, causal: false },
  { outer: 1, inner: 2, queries: 5, keys: 300, width: 16, causal: true },
  { outer: 2, inner: 1, queries: 100, keys: 7, width: 16, causal: false },
  { outer: 1, inner: 1, queries: 290, keys: 530, width: 4, causal: true },
  { outer: 1, inner: 1, queries: 70, keys: 90, width: 256, causal: true },
]; // prettier-ignore

describe("attention in wasm", () => {
  const judge = createReferenceBackend();
  let one: Backend;
  let two: Backend;
  let baseline: Backend;
  beforeAll(async () => {
    one = await createWasmBackend({ threads: 1 });
    two = await createWasmBackend({ threads: 2 });
    baseline = await createWasmBackend({ threads: 1, features: { relaxedSimd: false, revectorize: false } });
  });
  afterAll(() => Promise.all([one.close(), two.close(), baseline.close()]));

  it("gives the reference's values, the same bits on one thread and on two", async () => {
    for (const shape of shapes) {
      const data = dataOf(shape);
      const judged = await run(judge, plain, shape, data);
      const alone = await run(one, plain, shape, data);
      const what = JSON.stringify(shape);
      expectNear(alone, judged, 3e-6, what);
      expectNear(await run(baseline, plain, shape, data), judged, 3e-6, `baseline ${what}`);
      expect(await run(two, plain, shape, data), what).toEqual(alone);
    }
  });

  it("gives the same bits by every fused micro-kernel", async () => {
    const shape = { outer: 1, inner: 2, queries: 101, keys: 301, width: 24, causal: true };
    const data = dataOf(shape);
    const first = await run(one, plain, shape, data);
    for (const microKernel of ["6x16 fma", "6x8 fma", "3x12 fma"]) {
      const backend = await createWasmBackend({ threads: 2, microKernel });
      expect(await run(backend, plain, shape, data), microKernel).toEqual(first);
      await backend.close();
    }
  });

  it("drops by the counter, alike in both passes and on every backend", async () => {
    const draw = { key0: 123456789, key1: 987654321, threshold: Math.floor(0.3 * 2 ** 32), gain: 1 / 0.7 };
    for (const causal of [true, false]) {
      const shape = { outer: 2, inner: 2, queries: 70, keys: 150, width: 12, causal };
      const data = dataOf(shape);
      const judged = await run(judge, dropping, shape, data, draw);
      const alone = await run(one, dropping, shape, data, draw);
      expectNear(alone, judged, 3e-6, "dropout");
      expect(await run(two, dropping, shape, data, draw)).toEqual(alone);
      expect((await run(one, plain, shape, data)).lse).toEqual(alone.lse);
    }
  });

  it("decodes operands, each with its scale", async () => {
    for (const causal of [true, false]) {
      const shape = { outer: 2, inner: 3, queries: 61, keys: 65, width: 20, causal };
      const data = dataOf(shape);
      const codes = (length: number, by: number) => Uint8Array.from({ length }, (_, i) => (i * by) >>> 3);
      const given = {
        ...data, q: codes(data.q.length, 7919), k: codes(data.k.length, 104729), v: codes(data.k.length, 1299709),
        table: waves(256, 9), qScale: Float32Array.of(0.5), kScale: Float32Array.of(0.75), vScale: Float32Array.of(3),
      };
      const judged = await run(judge, coded, shape, given);
      const alone = await run(one, coded, shape, given);
      expectNear(alone, judged, 3e-6, "coded");
      expect(await run(two, coded, shape, given)).toEqual(alone);
    }
  }); // prettier-ignore

  it("neither overflows nor loses rows at extreme logits", async () => {
    const shape = { outer: 1, inner: 2, queries: 130, keys: 270, width: 8, causal: true };
    for (const size of [30, 300]) {
      const data = dataOf(shape, size);
      const got = await run(one, plain, shape, data);
      for (const name of OUTPUTS) expect(Array.from(got[name]).every(Number.isFinite), name).toBe(true);
      expect(await run(two, plain, shape, data)).toEqual(got);
    }
    const equal = dataOf(shape, 0);
    expectNear(
      await run(one, plain, shape, equal),
      await run(judge, plain, shape, equal),
      3e-6,
      "equal logits",
    );
  });

  it("writes nothing beside the matrices", async () => {
    const shape = { outer: 2, inner: 2, queries: 50, keys: 67, width: 5, causal: true };
    const got = await run(two, plain, shape, dataOf(shape));
    for (const name of ["y", "dq", "dk", "dv"] as const)
      got[name].forEach((value, i) => {
        if (i % 13 >= 10) expect(value, `${name}[${i}]`).toBe(UNTOUCHED);
      });
  });

  it("wants every query to see a key, and all strides", async () => {
    const shape = { outer: 1, inner: 1, queries: 9, keys: 8, width: 4, causal: true };
    await expect(run(one, plain, shape, dataOf(shape))).rejects.toThrow(/8 keys for 9 queries, causal/);
    const sizes = { queries: 1, keys: 1, width: 1, causal: false, strides: {} };
    expect(() => one.run(one.compile(plain.forward), { inputs: {}, outputs: {}, sizes })).toThrow(
      /strides.q/,
    );
  });
});
