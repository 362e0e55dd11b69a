import { expect, it } from "vitest";
import { normalFloat } from "./normal.ts";
import { pointwise } from "./pointwise.ts";
import { createReferenceBackend } from "./reference/index.ts";
import { element, output } from "./signature.ts";
import { createWasmBackend } from "./wasm/index.ts";

const kernel = pointwise("normal", { bits: element("u32") }, {}, ({ bits }) => ({
  z: output("f32", normalFloat(bits)),
}));

/** P(Z ≤ z) by the series of erf around 0, and its continued fraction further out. */
function distribution(z: number): number {
  const x = Math.abs(z);
  let [term, sum] = [x, x];
  for (let k = 1; k < 200; k++) sum += term *= (x * x) / (2 * k + 1);
  const half = (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  return 0.5 + (z < 0 ? -half : half);
}

it.each(["wasm", "reference"])("inverts the normal distribution on %s", async (name) => {
  const backend = name === "wasm" ? await createWasmBackend({ threads: 1 }) : createReferenceBackend();
  const count = 2 ** 15;
  const bits = Uint32Array.from({ length: count }, (_, i) => i * 2 ** 17 + 2 ** 16);
  const slices = { bits: backend.allocate(4 * count), z: backend.allocate(4 * count) };
  const at = (which: keyof typeof slices) => ({ buffer: slices[which], offset: 0 });
  backend.write(at("bits"), bits);
  const sizes = { rows: 1, columns: count };
  backend.run(backend.compile(kernel), { inputs: { bits: at("bits") }, outputs: { z: at("z") }, sizes });
  const z = Array.from(await backend.read(at("z"), "f32", count), Number);
  z.forEach((value, i) => {
    const wanted = ((bits[i] >>> 9) + 0.5) / 2 ** 23;
    if (Math.abs(distribution(value) - wanted) > 1e-6 * Math.min(1, 0.1 + Math.abs(value)))
      expect.fail(`z of ${wanted} is ${value}, whose share is ${distribution(value)}`);
  });
  expect(z[0]).toBeLessThan(-3.9);
  expect(z[count - 1]).toBeGreaterThan(3.9);
  await backend.close();
});
