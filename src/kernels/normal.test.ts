import { expect, it } from "vitest";
import { randomBits } from "../random/random-bits.ts";
import type { Buffer } from "./backend.ts";
import { normalPair } from "./normal.ts";
import { pointwise } from "./pointwise.ts";
import { createReferenceBackend } from "./reference/index.ts";
import { element, output } from "./signature.ts";
import { createWasmBackend } from "./wasm/index.ts";

const inputs = { a: element("u32"), b: element("u32") };
const kernel = pointwise("normal", inputs, {}, ({ a, b }) => {
  const [y, z] = normalPair(a, b);
  return { y: output("f32", y), z: output("f32", z) };
});

const COUNT = 2 ** 16;
/** All ones and all zeros among them: the ends of the range. */
const words = (key: number): Uint32Array =>
  Uint32Array.from({ length: COUNT }, (_, i) =>
    i < 4 ? -(i >> (key - 1)) & 1 && 0xffffffff : randomBits(i, key, 9),
  );

it.each(["wasm", "reference"])("draws two normal numbers from two words on %s", async (name) => {
  const backend = name === "wasm" ? await createWasmBackend({ threads: 1 }) : createReferenceBackend();
  const at = (buffer: Buffer) => ({ buffer, offset: 0 });
  const [a, b, y, z] = Array.from({ length: 4 }, () => at(backend.allocate(4 * COUNT)));
  const [first, second] = [words(1), words(2)];
  backend.write(a, first);
  backend.write(b, second);
  const sizes = { rows: 1, columns: COUNT };
  backend.run(backend.compile(kernel), { inputs: { a, b }, outputs: { y, z }, sizes });
  const found = await Promise.all(
    [y, z].map(async (slice) => Array.from(await backend.read(slice, "f32", COUNT), Number)),
  );
  const sums = { y: 0, z: 0, yy: 0, zz: 0, yz: 0, yyyy: 0, squares: 0 };
  for (let i = 0; i < COUNT; i++) {
    const radius = Math.sqrt(-2 * Math.log(((first[i] >>> 9) + 0.5) / 2 ** 23));
    const theta = ((((second[i] >>> 9) + 0.5) / 2 ** 23) * Math.PI) / 2;
    const wanted = [
      radius * Math.cos(theta) * (second[i] & 1 ? -1 : 1),
      radius * Math.sin(theta) * (second[i] & 2 ? -1 : 1),
    ];
    for (const [k, x] of wanted.entries())
      if (!(Math.abs(found[k][i] - x) < 1e-6 * (1 + radius))) expect.fail(`${found[k][i]} instead of ${x}`);
    const [one, two] = [found[0][i], found[1][i]];
    sums.y += one;
    sums.z += two;
    sums.yy += one * one;
    sums.zz += two * two;
    sums.yz += one * two;
    sums.yyyy += one ** 4;
    sums.squares += (one * two) ** 2;
  }
  // Five deviations of each mean.
  const near = (sum: number, mean: number, variance: number): void =>
    expect(Math.abs(sum / COUNT - mean)).toBeLessThan(5 * Math.sqrt(variance / COUNT));
  near(sums.y, 0, 1);
  near(sums.z, 0, 1);
  near(sums.yy, 1, 2);
  near(sums.zz, 1, 2);
  near(sums.yz, 0, 1);
  near(sums.yyyy, 3, 96);
  near(sums.squares, 1, 8);
  await backend.close();
});
