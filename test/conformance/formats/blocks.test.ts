/** Quantising on the device, blocks and scaled codes, against the scalar references; packing; on every backend. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blockFormat, blockFormatNames, type BlockFormat } from "../../../src/formats/block-format.ts";
import { format as formatOf, roundings, type Rounding } from "../../../src/formats/format.ts";
import { dequantiseBlock, quantiseBlock, tensorScaleOf } from "../../../src/formats/quantise-block.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import { packed, unpacked } from "../../../src/ops/pack.ts";
import { product } from "../../../src/ops/product.ts";
import { bytesOf, dequantise, quantise } from "../../../src/ops/quantise.ts";
import { quantiseBlocks } from "../../../src/ops/quantise-blocks.ts";
import type { TensorPrecision } from "../../../src/precision/policy.ts";
import { randomBits } from "../../../src/random/random-bits.ts";
import type { Key } from "../../../src/random/stream.ts";
import { Device } from "../../../src/tensor/device.ts";
import { packCodes } from "../../../src/tensor/packing.ts";
import {
  codesShape,
  readPacked,
  readTensor,
  readValues,
  type BlockedTensor,
} from "../../../src/tensor/tensor.ts";
import { edgeCases, testRandom } from "./sample.ts";

const candidates = [
  { name: "reference", open: async () => createReferenceBackend({ precision: "float32" }) },
  { name: "wasm", open: () => createWasmBackend({ threads: 2 }) },
];

const key: Key = [0x12345678, 0x9abcdef0];

/** Ordinary numbers of many sizes, some zeros; the second half of the rows also numbers that blocks stumble over. */
function matrix(rows: number, columns: number): Float32Array {
  const random = testRandom(rows * 1000 + columns);
  const size = () => 2 ** ((random() % 60) - 30);
  const awkward = edgeCases.concat([6, 7, 448, 2 ** -120, 2 ** 127]);
  let scale = size();
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    if (i % 29 === 0) scale = size();
    if (i > (rows * columns) / 2 && random() % 37 === 0) return awkward[random() % awkward.length];
    return random() % 11 === 0 ? 0 : (random() / 2 ** 31 - 1) * scale;
  });
}

/** What the kernels should give: codes as they lie in memory, the scales of the blocks, and the values. */
function expected(
  x: Float32Array,
  [rows, columns]: readonly [number, number],
  format: BlockFormat,
  rounding: Rounding,
  axis: 0 | 1,
) {
  const whole = (size: number): number => Math.ceil(size / format.block) * format.block;
  const [height, width] = axis === 1 ? [rows, whole(columns)] : [whole(rows), columns];
  const tensorScale = tensorScaleOf(x, format);
  const codes = new Uint16Array(height * width);
  const scales: number[] = [];
  const values = new Float32Array(x.length);
  const [lines, blocks] = axis === 1 ? [rows, width / format.block] : [columns, height / format.block];
  const place = (line: number, at: number, stride: number): number =>
    axis === 1 ? line * stride + at : at * stride + line;
  for (let line = 0; line < lines; line++)
    for (let b = 0; b < blocks; b++) {
      const length = axis === 1 ? columns : rows;
      const at = Array.from({ length: format.block }, (_, i) => b * format.block + i);
      const random = (i: number) => randomBits(place(line, at[i], width), ...key);
      const block = quantiseBlock(at.map((i) => (i < length ? x[place(line, i, columns)] : 0)), format, rounding, random, tensorScale);
      scales[axis === 1 ? line * blocks + b : b * columns + line] = block.scale;
      const back = dequantiseBlock(block, format, tensorScale);
      at.forEach((p, i) => {
        if (p >= length && axis === 0) return;
        codes[place(line, p, width)] = block.codes[i];
        if (p < length) values[place(line, p, columns)] = back[i];
      });
    }
  return { codes: [...codes], scales, values };
} // prettier-ignore

const inBlocks: readonly BlockFormat[] = [
  ...blockFormatNames.map((name) => blockFormat(name)),
  blockFormat("mxfp4-e2m1", { block: 16, scaleRule: "even" }),
  blockFormat("mxfp8-e4m3", { block: 64, scaleRule: "ceil" }),
  blockFormat("mxint8", { scaleRule: "even" }),
  blockFormat("lns8-g8"),
  blockFormat("fp16", { block: 16 }),
];

const some: readonly Rounding[] = ["nearest-even", "stochastic"];
const shapes: readonly (readonly [number, number])[] = [
  [2, 64],
  [3, 70],
  [37, 7],
  [1, 1],
]; // prettier-ignore

/** Numbers by their bits, any NaN the same. */
const told = (values: ArrayLike<number>): string[] =>
  Array.from(values, (x) => (Object.is(x, -0) ? "-0" : String(x)));

describe.each(candidates)("$name", ({ open }) => {
  let backend: Backend;
  let device: Device;
  beforeAll(async () => {
    backend = await open();
    device = new Device(backend);
  });
  afterAll(() => backend.close());

  describe.each(
    inBlocks.map((format) => [`${format.name} ${format.block} ${format.scaleRule}`, format] as const),
  )("%s", (_, format) => {
    it.each([0, 1] as const)("equals the scalar reference along axis %i", async (axis) => {
      for (const shape of shapes)
        for (const rounding of shape[0] === 3 ? roundings : some) {
          const data = matrix(...shape);
          const wanted = expected(data, shape, format, rounding, axis);
          await device.step(async () => {
            const y = quantiseBlocks(device.tensor(data, shape), format, rounding, axis, key);
            const where = `[${shape.join(", ")}] ${rounding}`;
            expect([...(await readTensor(y.encoding.scales))], where).toEqual(wanted.scales);
            expect([...(await readTensor(y))], where).toEqual(wanted.codes);
            expect(told(await readTensor(dequantise(y))), where).toEqual(told(wanted.values));
            expect(told(await readValues(y)), where).toEqual(told(wanted.values));
          });
        }
    });
  });

  it("packs codes of few bits, and unpacks them", async () => {
    for (const name of ["mxfp4-e2m1", "mxfp6-e3m2", "nvfp4"])
      for (const axis of [0, 1] as const) {
        const format = blockFormat(name);
        await device.step(async () => {
          const y = quantiseBlocks(
            device.tensor(matrix(37, 45), [37, 45]),
            format,
            "nearest-even",
            axis,
            key,
          );
          const small = packed(y);
          const codes = await readTensor(y);
          expect([...(await readPacked(small))]).toEqual([...packCodes(codes, format.element.bits)]);
          expect(await readTensor(small)).toEqual(codes);
          expect(await readTensor(unpacked(small))).toEqual(codes);
          expect(told(await readTensor(dequantise(small)))).toEqual(told(await readTensor(dequantise(y))));
          expect(bytesOf(small)).toBe(bytesOfBlocks(small));
        });
      }
  });

  it("packs any number of codes of 3 to 6 bits", async () => {
    for (const name of ["fp4-e2m1", "lns4-g1", "fp6-e2m3", "lns5-g2", "lns6-g4"])
      for (const count of [1, 2, 3, 4, 5, 127, 1030])
        await device.step(async () => {
          const x = device.tensor(matrix(1, count), [count]);
          const precision: TensorPrecision = { format: name, rounding: "nearest-even", scale: "tensor" };
          const y = quantise(x, precision, { channel: 0, reduction: 1 }, key);
          const bytes = Math.ceil(count / 4) * (formatOf(name).bits > 4 ? 3 : 2);
          expect(bytesOf(packed(y))).toBe(bytes + 4);
          expect(await readTensor(packed(y))).toEqual(await readTensor(y));
          expect(await readTensor(unpacked(packed(y)))).toEqual(await readTensor(y));
        });
  });

  it.each([
    ["lns8-g8", "max"], ["fp8-e4m3", "max"], ["fp8-e5m2", "rms"], ["int8", "max"], ["lns6-g4", "rms"],
    ["fp4-e2m1", "max"], ["bf16", "max"],
  ] as const)("quantises to %s by scales from %s", async (name, from) => {
    const [rows, columns] = [19, 23];
    const data = matrix(rows, columns).map((x) => (Math.abs(x) < 1e20 ? x : Math.sign(x) || 0));
    const format = formatOf(name);
    for (const scale of ["none", "tensor", "channel", 0.25] as const)
      for (const channel of [0, 1] as const)
        for (const powerOfTwo of [false, true])
          for (const rounding of some)
            await device.step(async () => {
              const precision: TensorPrecision = { format: name, rounding, scale, from, powerOfTwo };
              const y = quantise(device.tensor(data, [rows, columns]), precision, { channel, reduction: 1 }, key);
              if (y.encoding.kind !== "coded") throw new TypeError("wants codes");
              const scales = await readTensor(y.encoding.scale);
              const groups = scalesOf(data, columns, scale === "channel" ? channel : null);
              expect(scales.length).toBe(groups.length);
              if (typeof scale === "number" || scale === "none") expect([...scales]).toEqual([scale === "none" ? 1 : scale]);
              else groups.forEach((group, i) => checkScale(scales[i], group, from, powerOfTwo, format.info.max));
              const group = (i: number) => (scale !== "channel" ? 0 : channel === 0 ? Math.floor(i / columns) : i % columns);
              const codes = Array.from(data, (x, i) => {
                const scaled = Math.fround(x / scales[group(i)]);
                const kept = scale === "none" ? scaled : Math.max(-format.info.max, Math.min(format.info.max, scaled));
                return format.encode(kept, rounding, randomBits(i, ...key));
              });
              expect([...(await readTensor(y))]).toEqual(codes);
              expect(told(await readTensor(dequantise(y)))).toEqual(told(await readValues(y)));
            });
  }); // prettier-ignore

  it("leaves what is not finite out of a tensor's scale", async () => {
    await device.step(async () => {
      const x = device.tensor(Float32Array.of(1, -2, NaN, Infinity, -Infinity, 0.5), [2, 3]);
      const precision: TensorPrecision = { format: "lns8-g8", rounding: "nearest-even", scale: "tensor" };
      const y = quantise(x, precision, { channel: 0, reduction: 1 }, key);
      expect([...(await readValues(y))]).toEqual([1, -2, 0, 2, -2, 0.5]);
    });
  });

  it("multiplies blocked, packed, wide and plain operands alike", async () => {
    await device.step(async () => {
      const [a, b] = [
        device.tensor(matrix(6, 40).map(tame), [6, 40]),
        device.tensor(matrix(9, 40).map(tame), [9, 40]),
      ];
      const axes = { channel: 0, reduction: 1 } as const;
      for (const format of ["mxfp4-e2m1", "nvfp4", "lns6-g4", "lns12-g64", "fp8-e4m3"]) {
        const precision: TensorPrecision = { format, rounding: "nearest-even", scale: "tensor" };
        const [left, right] = [quantise(a, precision, axes, key), packed(quantise(b, precision, axes, key))];
        const got = product({ tensor: left, transposed: false }, { tensor: right, transposed: true });
        const plain = product(
          { tensor: dequantise(left), transposed: false },
          { tensor: dequantise(right), transposed: true },
        );
        const wanted = await readTensor(plain);
        (await readTensor(got)).forEach((x, i) => expect(x).toBeCloseTo(wanted[i], 4));
      }
    });
  });
});

const tame = (x: number): number => (Math.abs(x) < 100 ? x : 1);

function bytesOfBlocks(x: BlockedTensor): number {
  const [rows, columns] = codesShape(x.encoding, x.shape);
  const { element, block, tensorScale } = x.encoding.format;
  return (rows * columns * element.bits) / 8 + (rows * columns) / block + (tensorScale ? 4 : 0);
}

/** The numbers that share a scale. */
function scalesOf(data: Float32Array, columns: number, axis: 0 | 1 | null): number[][] {
  if (axis === null) return [[...data]];
  const groups = Array.from({ length: axis === 0 ? data.length / columns : columns }, (): number[] => []);
  data.forEach((x, i) => groups[axis === 0 ? Math.floor(i / columns) : i % columns].push(x));
  return groups;
}

function checkScale(
  scale: number,
  values: readonly number[],
  from: "max" | "rms",
  powerOfTwo: boolean,
  top: number,
): void {
  const finite = values.map((x) => (Number.isFinite(x) ? Math.abs(x) : 0));
  const square = finite.reduce((sum, x) => sum + x * x, 0) / values.length;
  const exact = Math.max(2 ** -126, (from === "max" ? Math.max(...finite) : 3 * Math.sqrt(square)) / top);
  if (!powerOfTwo) expect(Math.abs(scale / exact - 1)).toBeLessThan(1e-5);
  else {
    expect(Number.isInteger(Math.log2(scale))).toBe(true);
    expect(scale / exact).toBeGreaterThan(1 - 1e-5);
    expect(scale / exact).toBeLessThan(2);
  }
}
