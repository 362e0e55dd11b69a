import { expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { quantise } from "../ops/quantise.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { Device } from "./device.ts";
import { RoundedWeights } from "./rounded-weights.ts";

const precision: TensorPrecision = { format: "fp8-e4m3", rounding: "nearest-even", scale: "tensor" };

it("keeps a copy a precision and axis, until it is taken, forgotten, or the step ends", async () => {
  const device = new Device(createReferenceBackend());
  const { memory } = device.backend;
  const [w, v] = [device.tensor(Float32Array.of(1, 2), [1, 2]), device.tensor(Float32Array.of(3), [1, 1])];
  const round = () => quantise(w, precision, { channel: 0, reduction: 1 }, [0, 0]);
  const kept = new RoundedWeights();
  const before = memory.bytes;
  const [first, second] = [round(), round()];
  kept.keep(w, precision, 0, first);
  kept.keep(w, precision, 1, second);
  expect(kept.find(w, precision, 0)).toBe(first);
  expect(kept.find(w, precision, 1)).toBe(second);
  expect(kept.bytes).toBe(memory.bytes - before);
  expect(kept.find(w, { ...precision }, 1)).toBeNull();
  expect(kept.find(v, precision, 1)).toBeNull();
  kept.take(w, first);
  expect(kept.find(w, precision, 0)).toBeNull();
  expect(first.storage.freed).toBe(false);
  kept.forget(v);
  expect(kept.find(w, precision, 1)).toBe(second);
  kept.forget(w);
  expect(kept.find(w, precision, 1)).toBeNull();
  for (const tensor of [first, first.encoding.kind === "coded" ? first.encoding.scale : first])
    device.free(tensor);
  expect(memory.bytes).toBe(before);
  await device.step(async () => device.roundedWeights.keep(w, precision, 1, round()));
  expect(device.roundedWeights.find(w, precision, 1)).toBeNull();
  expect(memory.bytes).toBe(before);
});
