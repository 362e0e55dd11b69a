import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import type { Backend } from "../kernels/backend.ts";
import { bytesOf } from "../ops/quantise.ts";
import { quantiseBlocks } from "../ops/quantise-blocks.ts";
import { blockFormat } from "../formats/block-format.ts";
import { createGroup, type OptimizerGroup } from "../optim/group.ts";
import { optimizer as lnsMadam } from "../optim/lns-madam.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { readTensor, readValues, type Tensor } from "../tensor/tensor.ts";
import { formatsOf, misfit, restore, snapshot, SnapshotError } from "./snapshot.ts";
import { storedCodes } from "./stored-codes.ts";

const SIZE = 13;
const key = [1, 2] as const;
const held = (format: string): TensorPrecision => ({ format, rounding: "nearest-even", scale: "tensor" });

interface Bench {
  readonly device: Device;
  readonly parameter: Parameter;
  readonly group: OptimizerGroup;
  readonly tensors: () => Record<string, Tensor>;
}

/** Weights of 6 bits, or of 8 on a ladder with the same rungs, and a second moment in `second`. */
async function prepare(backend: Backend, weight: string, second: string): Promise<Bench> {
  const device = new Device(backend);
  const initial = Float32Array.from({ length: SIZE }, (_, i) => normal(key, i));
  const parameter: Parameter = {
    name: "w",
    kind: "matrix",
    tensor: { ...device.tensor(initial, [SIZE]), tracked: true },
  };
  const precision = { weight: held(weight), gradient: null, moment: { first: null, second: held(second) } };
  const group = await createGroup({
    optimizer: lnsMadam,
    options: { lr: 0.05 },
    precision,
    parameters: [parameter],
    seed: 3,
  });
  return { device, parameter, group, tensors: () => ({ w: parameter.tensor, ...group.tensors() }) };
}

const step = ({ device, parameter, group }: Bench, t: number): Promise<void> =>
  device.step(() => {
    const g = Float32Array.from({ length: SIZE }, (_, i) => normal(key, 100 * t + i));
    group.step(new Map([[parameter.tensor, device.tensor(g, [SIZE])]]), { t, lrFactor: 1 });
  });

const backends = [
  ["reference", async () => createReferenceBackend({ precision: "float32" })],
  ["wasm", () => createWasmBackend({ threads: 1 })],
] as const;

describe.each(backends)("packed state on %s", (_, open) => {
  it("trains as byte codes of the same ladder do, in fewer bytes", async () => {
    const small = await prepare(await open(), "lns6-g2", "ulns6-g1");
    const wide = await prepare(await open(), "lns8-g2", "ulns6-g1");
    for (let t = 1; t <= 3; t++) {
      await step(small, t);
      await step(wide, t);
      expect(await readValues(small.parameter.tensor)).toEqual(await readValues(wide.parameter.tensor));
    }
    // 13 codes count as 16 in planes of 8 and 4 bytes, besides the scale's four.
    expect(bytesOf(small.parameter.tensor)).toBe(12 + 4);
    expect(bytesOf(wide.parameter.tensor)).toBe(13 + 4);
    await Promise.all([small.device.close(), wide.device.close()]);
  });

  it("is saved packed and read back", async () => {
    const bench = await prepare(await open(), "lns6-g4", "ulns4-g1");
    await step(bench, 1);
    const saved = await snapshot(bench.tensors());
    const formats = formatsOf(bench.tensors());
    expect(saved.w).toMatchObject({ dtype: "U8", shape: [12] });
    expect(saved["w.v"]).toMatchObject({ dtype: "U8", shape: [8] });
    expect(formats).toEqual({
      w: { format: "lns6-g4", shape: [SIZE] },
      "w.v": { format: "ulns4-g1", shape: [SIZE] },
    });
    expect(storedCodes(saved.w, formats.w)?.codes).toEqual(await readTensor(bench.parameter.tensor));
    expect(await snapshot(bench.tensors())).toEqual(saved);
    const other = await prepare(await open(), "lns6-g4", "ulns4-g1");
    restore(other.tensors(), saved);
    await step(bench, 2);
    await step(other, 2);
    expect(await snapshot(other.tensors())).toEqual(await snapshot(bench.tensors()));
    const bytes = await prepare(await open(), "lns8-g4", "ulns4-g1");
    expect(misfit(bytes.tensors(), saved)).toBe('tensor "w" is U8 [12], wants U8 [13]');
    await Promise.all([bench, other, bytes].map(({ device }) => device.close()));
  });
});

it("refuses blocks, which are no state", async () => {
  const device = new Device(createReferenceBackend());
  const x = device.tensor(Float32Array.of(1, 2), [1, 2]);
  const y = quantiseBlocks(x, blockFormat("mxfp4-e2m1"), "nearest-even", 1, [0, 0]);
  await expect(snapshot({ y })).rejects.toThrow(SnapshotError);
});

it("finds no codes where an entry and the bytes do not fit", () => {
  const tensor = { dtype: "U8", shape: [3], bytes: new Uint8Array(3) } as const;
  expect(storedCodes(tensor, null)).toBeUndefined();
  expect(storedCodes(tensor, { format: "lns6-g4", shape: [4] })?.codes.length).toBe(4);
  expect(storedCodes(tensor, { format: "lns6-g4", shape: [5] })).toBeUndefined();
  expect(() => storedCodes(tensor, "lns6-g5")).toThrow(/γ is 5/);
});
