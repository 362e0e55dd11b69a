import { expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { readValues } from "../tensor/tensor.ts";
import { createAverage } from "./weight-average.ts";

it.each(["lns8-g16", "bf16", "int8"])("an average in %s follows weights through zero, in small steps", async (format) => {
  const device = new Device(createReferenceBackend());
  const start = Float32Array.from({ length: 256 }, (_, i) => normal([3, 4], i));
  const tensor = device.keep(device.tensor(start, [256]));
  const parameter: Parameter = { name: "w", kind: "matrix", tensor };
  const precision = { format, rounding: "stochastic", scale: "tensor" } as const;
  const average = await createAverage({ parameters: [parameter], decay: 0.99, precision, seed: 1 });
  for (let t = 1; t <= 800; t++) {
    if (t === 200) device.backend.write(tensor.storage.slice(), start.map((w) => -w));
    await device.step(() => average.update(t));
  }
  const found = await average.during(() => readValues(parameter.tensor));
  const norm = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x));
  // What 601 steps leave of the old weights is 0.99^601 · 2.
  expect(norm(found.map((a, i) => a + start[i])) / norm(start)).toBeLessThan(0.25);
  await device.close();
}); // prettier-ignore
