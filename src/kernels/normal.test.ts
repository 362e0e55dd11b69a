import { expect, it } from "vitest";
import { randomBits } from "../random/random-bits.ts";
import type { Buffer } from "./backend.ts";
import { normal } from "./normal.ts";
import { pointwise } from "./pointwise.ts";
import { furtherBits } from "./random.ts";
import { createReferenceBackend } from "./reference/index.ts";
import { element, output } from "./signature.ts";
import { createWasmBackend } from "./wasm/index.ts";

const kernel = pointwise("normal", { bits: element("u32") }, {}, ({ bits }) => ({
  y: output("f32", normal(bits)),
  z: output("f32", normal(furtherBits(bits))),
}));

const COUNT = 2 ** 17;
/** All zeros and all ones first: the ends of the range. */
const words = Uint32Array.from({ length: COUNT }, (_, i) => (i < 2 ? -i : randomBits(i, 5, 9)));

/** Φ(x), by Simpson's rule from -9 on. */
function below(x: number): number {
  const steps = 2000;
  const width = (x + 9) / steps;
  const density = (at: number): number => Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI);
  let sum = 0;
  for (let i = 0; i <= steps; i++)
    sum += density(-9 + i * width) * (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2);
  return (sum * width) / 3;
}

async function drawn(name: string) {
  const backend = name === "wasm" ? await createWasmBackend({ threads: 1 }) : createReferenceBackend();
  const at = (buffer: Buffer) => ({ buffer, offset: 0 });
  const [bits, y, z] = Array.from({ length: 3 }, () => at(backend.allocate(4 * COUNT)));
  backend.write(bits, words);
  const sizes = { rows: 1, columns: COUNT };
  backend.run(backend.compile(kernel), { inputs: { bits }, outputs: { y, z }, sizes });
  const read = async (from: typeof y) => Array.from(await backend.read(from, "f32", COUNT), Number);
  const found = [await read(y), await read(z)] as const;
  await backend.close();
  return found;
}

it.each(["wasm", "reference"])(
  "draws nearly normal numbers from words of random bits on %s",
  async (name) => {
    const [y, z] = await drawn(name);
    words.forEach((word, i) => {
      const bytes = [0, 8, 16, 24].map((place) => (word >>> place) & 255);
      const s = (bytes.reduce((sum, byte) => sum + byte) - 510) / 512;
      const wanted = s * (3.295968 + 0.7385483 * s * s);
      if (!(Math.abs(y[i] - wanted) < 1e-6)) expect.fail(`${y[i]} instead of ${wanted}`);
    });
    expect(y[1]).toBeGreaterThan(4);
    expect(y[0]).toBe(-y[1]);
    const mean = (of: (i: number) => number): number => words.reduce((sum, _, i) => sum + of(i), 0) / COUNT;
    // Five deviations of each mean, and what the fourth moment is known to lack.
    const near = (found: number, wanted: number, variance: number, bias = 0): void =>
      expect(Math.abs(found - wanted)).toBeLessThan(bias + 5 * Math.sqrt(variance / COUNT));
    for (const x of [y, z]) {
      near(mean((i) => x[i]), 0, 1); // prettier-ignore
      near(mean((i) => x[i] ** 2), 1, 2); // prettier-ignore
      near(mean((i) => x[i] ** 4), 3, 96, 0.016); // prettier-ignore
    }
    near(mean((i) => y[i] * z[i]), 0, 1); // prettier-ignore
    near(mean((i) => (y[i] * z[i]) ** 2), 1, 8); // prettier-ignore
    near(mean((i) => y[i] ** 2 * z[i]), 0, 3); // prettier-ignore
  },
);

it("is off by no more than 0.0017 in any probability", async () => {
  const [y] = await drawn("wasm");
  const sorted = y.toSorted((a, b) => a - b);
  let worst = 0;
  for (let i = 0; i < COUNT; i += 97) worst = Math.max(worst, Math.abs(below(sorted[i]) - (i + 0.5) / COUNT));
  expect(worst).toBeLessThan(0.0017 + 1.63 / Math.sqrt(COUNT)); // Kolmogorov's 1 % point
});
