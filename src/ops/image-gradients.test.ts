import { describe, expect, it } from "vitest";
import { expectTrueGradients, type GradientCase } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { averagePool, globalAveragePool, maxPool, poolShape } from "./pooling.ts";

const image = { batch: 2, height: 5, width: 4, channels: 3 };
const pixels = [40, 3];
const cases: readonly GradientCase[] = [
  {
    name: "maxPool",
    shapes: [pixels],
    run: ([x]) => maxPool(x, image, { kernel: [2, 2] }),
  },
  {
    name: "maxPool of overlapping windows",
    shapes: [pixels],
    run: ([x]) => maxPool(x, image, { kernel: [3, 3], stride: 2, padding: 1 }),
  },
  {
    name: "averagePool",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [2, 2] }),
  },
  {
    name: "averagePool of overlapping windows",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [3, 2], stride: 2, padding: 1 }),
  },
  {
    name: "globalAveragePool",
    shapes: [pixels],
    run: ([x]) => globalAveragePool(x, image),
  },
];

describe("vector-Jacobian products of image operations equal central differences in float64", () => {
  it.each(cases)("$name", async (given) => {
    await expectTrueGradients(new Device(createReferenceBackend()), given);
  });
});

describe("pooling", () => {
  it("takes windows where they lie, padding never winning", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 3, width: 3, channels: 1 };
    const options = { kernel: [2, 2], stride: 2, padding: 1 } as const;
    const values = Float32Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9);
    await device.step(async () => {
      const x = device.tensor(values, [9, 1]);
      expect(await readValues(maxPool(x, one, options))).toEqual(Float32Array.of(-1, -2, -4, -5));
      expect(await readValues(averagePool(x, one, options))).toEqual(
        Float32Array.of(-0.25, -1.25, -2.75, -7),
      );
      expect(await readValues(globalAveragePool(x, one))).toEqual(Float32Array.of(-5));
    });
    expect(poolShape(one, options)).toEqual({ batch: 1, height: 2, width: 2, channels: 1 });
    await device.close();
  });

  it("lets a NaN through", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 2, width: 2, channels: 1 };
    for (const place of [0, 1, 3]) {
      const values = new Float32Array(4);
      values[place] = NaN;
      const [top] = await device.step(() =>
        readValues(maxPool(device.tensor(values, [4, 1]), one, { kernel: [2, 2] })),
      );
      expect(top).toBeNaN();
    }
    await device.close();
  });
});
