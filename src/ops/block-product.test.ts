import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blockFormat, type BlockFormat } from "../formats/block-format.ts";
import type { Rounding } from "../formats/format.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Device } from "../tensor/device.ts";
import { readTensor, readValues, type Tensor } from "../tensor/tensor.ts";
import { packed } from "./pack.ts";
import { product, roundsWhilePacking, type Side } from "./product.ts";
import { dequantise, quantise } from "./quantise.ts";
import { quantiseBlocks } from "./quantise-blocks.ts";

let devices: readonly Device[];

beforeAll(async () => {
  const backends = [
    createReferenceBackend({ precision: "float32" }),
    await createWasmBackend({ threads: 2 }),
  ];
  devices = backends.map((backend) => new Device(backend));
});
afterAll(() => Promise.all(devices.map((device) => device.close())));

const NAMES = [
  "mxfp4-e2m1",
  "mxfp6-e2m3",
  "mxint8",
  "mxfp6-e3m2",
  "mxfp8-e4m3",
  "mxfp8-e5m2",
  "nvfp4",
  "lns4-g2",
];
/** Those whose blocks are summed in integers. */
const INTEGERS = ["mxfp4-e2m1", "mxfp6-e2m3", "mxint8", "int8", "int4"];

const reals = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + seed) * 2 ** (((i * 5) % 9) - 4));

const [M, N, K] = [21, 19, 75];
const left = (device: Device, transposed: boolean): Side => ({
  tensor: device.tensor(reals(M * K, 1), transposed ? [K, M] : [M, K]),
  transposed,
});
const right = (device: Device, transposed: boolean): Side => ({
  tensor: device.tensor(reals(K * N, 2), transposed ? [N, K] : [K, N]),
  transposed,
});

/** A side in blocks along the sum. */
function blocked(side: Side, format: BlockFormat, rounding: Rounding, sum: 0 | 1): Side {
  const axis = side.transposed ? (sum === 1 ? 0 : 1) : sum;
  return { tensor: quantiseBlocks(side.tensor, format, rounding, axis, [1, 2]), transposed: side.transposed };
}

const values = async (tensor: Tensor) => [...(await readTensor(tensor))];

const bothWays = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

describe("product of blocks", () => {
  it.each(NAMES)("of %s equals the sum over blocks of their values", async (name) => {
    const format = blockFormat(name);
    for (const device of devices)
      for (const [a, b] of bothWays) {
        const sides = [
          blocked(left(device, a), format, "nearest-even", 1),
          blocked(right(device, b), format, "nearest-even", 0),
        ] as const;
        const [x, y] = await Promise.all(sides.map(({ tensor }) => readValues(tensor)));
        const bias = device.tensor(reals(N, 3), [N]);
        const c = await values(product(sides[0], sides[1], bias));
        for (let i = 0; i < M * N; i++) {
          const [m, n] = [Math.floor(i / N), i % N];
          let [sum, size] = [Math.fround(reals(N, 3)[n]), 1];
          for (let k = 0; k < K; k++) {
            const term = x[a ? k * M + m : m * K + k] * y[b ? n * K + k : k * N + n];
            sum += term;
            size += Math.abs(term);
          }
          expect(Math.abs(c[i] - sum)).toBeLessThan(size * 1e-6);
        }
      }
  });

  it.each(INTEGERS)("of %s in integers equals that in floats where float32 sums are exact", async (name) => {
    const format = blockFormat(name);
    for (const device of devices) {
      const data = (length: number, step: number) => Float32Array.from({ length }, (_, i) => ((i * step) % 9) - 4);
      const a = { tensor: device.tensor(data(M * 32, 7), [M, 32]), transposed: false };
      const b = { tensor: device.tensor(data(32 * N, 5), [32, N]), transposed: false };
      const [x, y] = [blocked(a, format, "nearest-even", 1), blocked(b, format, "nearest-even", 0)];
      const decoded = [x, y].map((side) => ({ ...side, tensor: dequantise(side.tensor) }));
      expect(await values(product(x, y))).toEqual(await values(product(decoded[0], decoded[1])));
    }
  }); // prettier-ignore

  it("rounds while it packs as quantise does, bit for bit, by every rule", async () => {
    for (const device of devices)
      for (const name of ["mxfp4-e2m1", "mxfp6-e2m3", "mxint8", "mxfp8-e4m3", "mxfp8-e5m2", "int8"])
        for (const rounding of ["nearest-even", "nearest-away", "floor"] as const)
          for (const scaleRule of ["floor", "ceil", "even"] as const) {
            const format = blockFormat(name, { scaleRule });
            const [a, b] = [left(device, scaleRule === "ceil"), right(device, rounding === "floor")];
            const blocks = { format, rounding };
            const expected = product(blocked(a, format, rounding, 1), blocked(b, format, rounding, 0));
            const got = product({ ...a, blocks }, { ...b, blocks });
            expect(await values(got), `${name} ${rounding} ${scaleRule}`).toEqual(await values(expected));
          }
  });

  it("has the same bits on every backend, from packed codes too", async () => {
    for (const name of ["mxfp4-e2m1", "mxfp6-e2m3", "mxint8"]) {
      const [judged, ...others] = await Promise.all(
        devices.map((device) => {
          const a = blocked(left(device, false), blockFormat(name), "stochastic", 1);
          const blocks = { format: blockFormat(name), rounding: "nearest-even" } as const;
          return values(product({ ...a, tensor: packed(a.tensor) }, { ...right(device, true), blocks }));
        }),
      );
      for (const other of others) expect(other).toEqual(judged);
    }
  });

  it("takes blocks beside float32, across the sum, and beside codes with other scales", async () => {
    const format = blockFormat("mxfp4-e2m1");
    for (const device of devices) {
      const [a, b] = [left(device, false), right(device, false)];
      const x = blocked(a, format, "nearest-even", 1);
      const across = blocked(a, format, "nearest-even", 0);
      const precision = { format: "lns8-g16", rounding: "nearest-even", scale: "tensor" } as const;
      const coded = { ...b, tensor: quantise(b.tensor, precision, { channel: 0, reduction: 0 }, [0, 0]) };
      const nvfp4 = { ...b, blocks: { format: blockFormat("nvfp4"), rounding: "nearest-even" } as const };
      for (const [p, q] of [[x, b], [across, b], [x, coded], [x, nvfp4]] as const) {
        const q32 = q.blocks ? blocked(q, q.blocks.format, "nearest-even", 0) : q;
        const decoded = [p, q32].map((side) => ({ transposed: false, tensor: dequantise(side.tensor) }));
        const [c, d] = await Promise.all([product(p, q), product(decoded[0], decoded[1])].map(values));
        c.forEach((value, i) => expect(Math.abs(value - d[i])).toBeLessThan(1e-4 * (1 + Math.abs(d[i]))));
      }
    }
  }); // prettier-ignore

  it("knows what it can round while it packs", () => {
    expect(roundsWhilePacking(blockFormat("mxfp4-e2m1"), "nearest-away")).toBe(true);
    expect(roundsWhilePacking(blockFormat("mxfp4-e2m1"), "stochastic")).toBe(false);
    expect(roundsWhilePacking(blockFormat("nvfp4"), "nearest-even")).toBe(false);
    expect(roundsWhilePacking(blockFormat("lns8-g16"), "nearest-even")).toBe(false);
  });
});
