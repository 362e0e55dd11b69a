import { expect, it } from "vitest";
import type { Backend } from "../backend.ts";
import { pointwise } from "../pointwise.ts";
import { i32, select, u32, type Value } from "../program.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output } from "../signature.ts";
import { createWasmBackend } from "./index.ts";

/** Two whole turns of sixteen elements, and one that is not. */
const SIZE = 45;
const ends = [0, 1, -1, 127, 128, -128, 255, 256, 32767, 32768, -32768, -32769, 2 ** 31 - 1, -(2 ** 31)];
const words = Int32Array.from({ length: SIZE }, (_, i) => ends[i] ?? Math.imul(i, 0x9e3779b1));
const bytes = Uint8Array.from({ length: SIZE }, (_, i) => (i * 77) & 255);

const programs: Readonly<Record<string, (x: Value, b: Value) => Value>> = {
  "bounds what is far outside of 16 bits": (x) => x.max(-300).min(300).add(300).shr(2).asU32(),
  "adds a bounded change to a code": (x, b) => b.asI32().add(x.max(-255).min(255)).max(0).min(255).asU32(),
  "keeps a sign above a magnitude": (x) => {
    const k = x.and(0x7fffffff).shr(24);
    return k.min(127).or(x.shr(31).and(k.neg()).and(128)).asU32();
  },
  "selects by conditions of 16 and of 32 bits": (x, b) =>
    select(x.gt(1 << 20), b.xor(u32(3)), select(b.lt(100), b, u32(7))),
  "does not narrow sums that could leave 16 bits": (x, b) =>
    x.shr(8).add(b.asI32()).sub(i32(5)).and(255).asU32(),
};

/** @param shared whether another output, of words, reads the byte too. */
async function run(
  backend: Backend,
  program: (x: Value, b: Value) => Value,
  shared: boolean,
): Promise<number[][]> {
  const slice = (length: number) => ({ buffer: backend.allocate(length), offset: 0 });
  const inputs = { x: slice(4 * SIZE), b: slice(SIZE) };
  const outputs = { y: slice(SIZE), z: slice(4 * SIZE) };
  backend.write(inputs.x, words);
  backend.write(inputs.b, bytes);
  const kernel = pointwise("bytes", { x: element("i32"), b: element("u8") }, {}, ({ x, b }) => ({
    y: output("u8", program(x, b)),
    z: output("u32", shared ? program(x, b).add(1) : x.asU32()),
  }));
  backend.run(backend.compile(kernel), { inputs, outputs, sizes: { rows: 1, columns: SIZE } });
  const read = async (name: "y" | "z", storage: "u8" | "u32") =>
    Array.from(await backend.read(outputs[name], storage, SIZE), Number);
  const found = [await read("y", "u8"), await read("z", "u32")];
  await backend.close();
  return found;
}

const cases = Object.entries(programs).flatMap(([name, program]) =>
  [false, true].map((shared) => [name, shared, program] as const),
);

it.each(cases)("%s (read by others: %s)", async (_, shared, program) => {
  const expected = await run(createReferenceBackend(), program, shared);
  expect(await run(await createWasmBackend({ threads: 1 }), program, shared)).toEqual(expected);
});
