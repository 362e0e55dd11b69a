import { describe, expect, it } from "vitest";
import { blockFormat } from "../../src/formats/block-format.ts";
import { format, roundings } from "../../src/formats/format.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { quantise } from "../../src/ops/quantise.ts";
import { streamKey } from "../../src/random/stream.ts";
import { Device } from "../../src/tensor/device.ts";
import { readValues } from "../../src/tensor/tensor.ts";
import { dequantiseBlock, quantiseBlock } from "../../src/formats/quantise-block.ts";
import { quantiseTensor, type Source } from "./apply.ts";
import { refuseNonFinite } from "./non-finite.ts";
import { type PlannedFormat, quantizePlan } from "./plan.ts";

/** Numbers that look like weights, the same in every test. */
function weights(count: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => Math.sin(i * 12.9898) * Math.exp(3 * Math.sin(i * 0.7)),
  );
}

const source = (values: Float32Array | Float64Array, shape: readonly number[]): Source => ({
  name: "w",
  shape,
  values,
});
const planned = (options: Record<string, string | boolean>): PlannedFormat =>
  quantizePlan(options).formats[0];
const plain = { axis: -1, rounding: "nearest-even", seed: 0 } as const;
const decodedOf = async (
  values: Float32Array,
  shape: readonly number[],
  options: Record<string, string | boolean>,
  more = {},
) => (await quantiseTensor(source(values, shape), planned(options), { ...plain, ...more })).decoded;

/** A matrix [rows, columns] with its axes swapped. */
const transposed = (values: Float32Array, rows: number, columns: number): Float32Array =>
  values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]);

describe("quantising a tensor", () => {
  it("gives what encoder and decoder give, with each kind of scale", async () => {
    const values = weights(70);
    const { encode, decode, info } = format("fp8-e4m3");
    const expected = (part: Float32Array, scale: number) =>
      part.map((x) => decode(encode(Math.fround(x / scale), "nearest-even", 0)) * scale);
    const scaleOf = (part: Float32Array) => Math.fround(Math.max(...part.map(Math.abs)) / info.max);
    const name = { format: "fp8-e4m3" };
    expect(await decodedOf(values, [70], name)).toEqual(expected(values, scaleOf(values)));
    expect(await decodedOf(values, [70], { ...name, scale: "none" })).toEqual(expected(values, 1));
    expect(await decodedOf(values, [70], { ...name, scale: "0.25" })).toEqual(expected(values, 0.25));
    const rows = [values.slice(0, 35), values.slice(35)].map((part) => [...expected(part, scaleOf(part))]);
    expect([...(await decodedOf(values, [2, 35], { ...name, scale: "channel" }))]).toEqual(rows.flat());
  });

  it("takes scales from root mean squares, and rounds them up to powers of two", async () => {
    const values = weights(70);
    const { encode, decode, info } = format("lns8-g8");
    const expected = (scale: number) =>
      values.map((x) => Math.fround(decode(encode(Math.fround(x / scale), "nearest-even", 0))) * scale);
    const square = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    const rms = Math.fround((3 * Math.sqrt(square)) / info.max);
    const name = { format: "lns8-g8", from: "rms" };
    expect(await decodedOf(values, [70], name)).toEqual(expected(rms));
    const rounded = { ...name, "power-of-two": true };
    expect(await decodedOf(values, [70], rounded)).toEqual(expected(2 ** Math.ceil(Math.log2(rms))));
    expect(() => planned({ ...name, scale: "0.5" })).toThrow("--from is for scales found from the values");
    expect(() => planned({ format: "mxint8", "power-of-two": true })).toThrow("--power-of-two is for scales");
  });

  it("gives what the block reference gives, tails and tensor scales too", async () => {
    const values = weights(90);
    const mx = blockFormat("mxfp4-e2m1");
    const expected = [0, 32, 45, 77].map((from, i) => {
      const part = values.subarray(from, i % 2 === 0 ? from + 32 : i === 1 ? 45 : 90);
      return [...dequantiseBlock(quantiseBlock(part, mx, "nearest-even"), mx)];
    });
    expect([...(await decodedOf(values, [2, 45], { format: "mxfp4-e2m1" }))]).toEqual(expected.flat());
    const small = await decodedOf(
      values.map((x) => x * 2 ** -20),
      [90],
      { format: "nvfp4" },
    );
    expect(small).toEqual((await decodedOf(values, [90], { format: "nvfp4" })).map((x) => x * 2 ** -20));
  });

  it.each(["mxfp8-e4m3", "nvfp4", "int4"])(
    "runs along axis 0 as along axis 1 of the transposed: %s",
    async (name) => {
      const values = weights(40 * 50);
      const options = name === "int4" ? { format: name, scale: "channel" } : { format: name };
      const along0 = await decodedOf(values, [40, 50], options, { axis: 0 });
      expect(await decodedOf(transposed(values, 40, 50), [50, 40], options)).toEqual(
        transposed(along0, 40, 50),
      );
    },
  );

  it("draws the same random bits for a seed, others for another, and is right on average", async () => {
    const values = new Float32Array(20_000).fill(2.25);
    const name = { format: "int8", scale: "1" };
    const stochastic = (seed: number) => decodedOf(values, [20_000], name, { rounding: "stochastic", seed });
    const [one, same, other] = [await stochastic(1), await stochastic(1), await stochastic(2)];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
    expect(new Set(one)).toEqual(new Set([2, 3]));
    const up = one.filter((value) => value === 3).length / one.length;
    expect(Math.abs(up - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / one.length));
  });

  it("rounds float64 to float32 first, and takes scales from finite numbers alone", async () => {
    const values = Float64Array.of(1e300, -3, NaN, 1);
    const { decoded, statistics } = await quantiseTensor(
      source(values, [4]),
      planned({ format: "int8" }),
      plain,
    );
    expect([...decoded]).toEqual([3, -3, 0, expect.closeTo(1, 1)]);
    expect(statistics.figures()).toMatchObject({ nan: 1, infinite: 0, saturated: 0.25 });
  });

  it("keeps a tensor of zeros, and one of nothing", async () => {
    for (const name of ["int8", "lns8-g8", "mxfp4-e2m1", "nvfp4"]) {
      expect(await decodedOf(new Float32Array(40), [40], { format: name })).toEqual(new Float32Array(40));
      const { statistics } = await quantiseTensor(
        source(new Float32Array(0), [0, 3]),
        planned({ format: name }),
        plain,
      );
      expect(statistics.figures()).toMatchObject({
        elements: 0,
        sqnr: null,
        maxRelativeError: null,
        saturated: 0,
      });
    }
  });

  it("pauses when it is told to, and stops by what the pause throws", async () => {
    const stop = () => Promise.reject(new Error("stopped"));
    await expect(
      quantiseTensor(source(weights(9), [9]), planned({ format: "int8" }), plain, stop),
    ).rejects.toThrow("stopped");
  });
});

describe("quantising on the command line", () => {
  const shape = [24, 70] as const;
  const values = weights(24 * 70);
  const cases: Record<string, Record<string, string>> = {
    "a scale for the tensor": { format: "fp8-e4m3", scale: "tensor" },
    "a ladder": { format: "lns8-g8", scale: "tensor" },
    "a float that overflows, scaled": { format: "fp16", scale: "0.0001220703125" },
    "a float of its own range": { format: "bf16", scale: "none" },
    "a scale for each channel": { format: "int4", scale: "channel" },
    "MX blocks": { format: "mxfp4-e2m1", "scale-rule": "even" },
    "NVFP4 blocks": { format: "nvfp4" },
    "blocks of a ladder": { format: "lns6-g2", scale: "block", block: "16" },
  };

  it.each(Object.entries(cases))("gives the numbers of training: %s", async (_, options) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    try {
      for (const rounding of roundings) {
        const { decoded } = await quantiseTensor(source(values, shape), planned(options), {
          ...plain,
          rounding,
        });
        const { format: name, scale = "block", block = 0, "scale-rule": scaleRule } = options;
        const precision = {
          format: name,
          rounding,
          scale: Number(scale) > 0 ? Number(scale) : (scale as "tensor"),
          ...(Number(block) > 0 && { block: Number(block) as 16 }),
          ...(scaleRule !== undefined && { scaleRule: scaleRule as "even" }),
        };
        const x = device.tensor(values, shape);
        const key = streamKey(0, "w", 0, "quantize");
        const trained = await readValues(quantise(x, precision, { channel: 0, reduction: 1 }, key));
        expect(decoded.filter((value, i) => !Object.is(value, trained[i])).length, rounding).toBe(0);
      }
    } finally {
      await device.backend.close();
    }
  });
});

describe("NaN that comes in", () => {
  it("is refused with its place and what to do", () => {
    const values = Float32Array.of(0, 1, 2, 3, NaN, Infinity);
    expect(() => refuseNonFinite(source(values, [2, 3]))).toThrow(
      '"w"[1, 1] is NaN (1 NaN, 1 infinite in all): mend the array, or say --nan allow',
    );
    expect(() => refuseNonFinite(source(values.subarray(0, 4), [2, 2]))).not.toThrow();
  });
});

describe("the plan", () => {
  it("gives each format its usual scale", () => {
    const names = "fp32,bf16,fp16,fp8-e5m2,int8,lns8-g8,mxint8,nvfp4";
    const { formats, ...rest } = quantizePlan({ format: names });
    const scales = formats.map((entry) => (entry.kind === "block" ? "block" : entry.scale));
    expect(scales).toEqual(["none", "none", "none", "tensor", "tensor", "tensor", "block", "block"]);
    expect(rest).toEqual({ rounding: "nearest-even", axis: -1, seed: 0, allowNonFinite: false });
  });

  it("takes blocks of scalar formats, with their options", () => {
    expect(planned({ format: "lns8-g8", scale: "block", block: "64", "scale-rule": "even" })).toMatchObject({
      kind: "block",
      name: "lns8-g8",
      format: { block: 64, scaleRule: "even", scale: { name: "e8m0" } },
    });
    expect(quantizePlan({ format: "int8,int8,mxfp8-e4m3,", block: "16" }).formats.length).toBe(2);
  });
});
