import { expect, it } from "vitest";
import type { Backend } from "../backend.ts";
import { pointwise } from "../pointwise.ts";
import { index, Table, u32, type Value } from "../program.ts";
import { roundingBits } from "../random.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output } from "../signature.ts";
import { createWasmBackend } from "./index.ts";

const squares = new Table(Float32Array.from({ length: 256 }, (_, i) => (i - 100) ** 2));
const words = new Table(Uint32Array.from({ length: 256 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 0));

/** So many operations that none of them can be left out or computed before. */
const many = (x: Value, times: number): Value =>
  Array.from({ length: times }, (_, i) => i).reduce((y, i) => y.mul(x).add(1 / (i + 1)), x);

/** Long enough for look-ups ahead; its second code is written in place, and bytes share what comes before them. */
const kernel = pointwise(
  "long with look-ups",
  { a: element("u8"), b: element("u8") },
  { key: "u32" },
  ({ a, b, key }) => {
    const entry = squares.at(a).mul(2 ** -15);
    const bits = roundingBits(index(), key);
    const sum = many(entry, 60).mul(2 ** -8);
    const low = sum.mul(16).toI32().max(-500).min(500).add(b.asI32());
    const clamped = low.max(0).min(255);
    return {
      y: output("f32", sum.add(entry.div(sum.mul(sum).add(1)))),
      w: output("u32", words.at(b).add(bits)),
      b: output("u8", clamped.asU32()),
      c: output("u8", clamped.sub(a.asI32()).max(0).asU32().xor(u32(1))),
    };
  },
);

async function run(backend: Backend, length: number) {
  const slice = (bytes: number) => ({ buffer: backend.allocate(length * bytes), offset: 0 });
  const code = (i: number, factor: number) => (i * factor + 13) & 255;
  const [a, b, c, y, w] = [slice(1), slice(1), slice(1), slice(4), slice(4)];
  backend.write(
    a,
    Uint8Array.from({ length }, (_, i) => code(i, 7)),
  );
  backend.write(
    b,
    Uint8Array.from({ length }, (_, i) => code(i, 29)),
  );
  const outputs = { y, w, b, c };
  backend.run(backend.compile(kernel), {
    inputs: { a, b },
    outputs,
    uniforms: { key: 77 },
    sizes: { rows: 1, columns: length },
  });
  const read = async (place: { buffer: typeof a.buffer; offset: number }, storage: "f32" | "u8" | "u32") =>
    Array.from(await backend.read(place, storage, length), Number);
  const found = [await read(y, "f32"), await read(w, "u32"), await read(b, "u8"), await read(c, "u8")];
  await backend.close();
  return found;
}

const lengths = [1, 15, 16, 17, 64, 79, 80, 81, 127, 129, 4096 + 35];

it.each(lengths)(
  "looks up the entries of %i elements that the reference does, codes in place",
  async (length) => {
    const expected = await run(createReferenceBackend({ precision: "float32" }), length);
    for (const threads of [1, 2])
      expect(await run(await createWasmBackend({ threads }), length)).toEqual(expected);
    const narrow = { threads: 1, features: { revectorize: false } };
    expect(await run(await createWasmBackend(narrow), length)).toEqual(expected);
  },
);

it("reads nothing past the end of the memory", async () => {
  const length = 320;
  const backend = await createWasmBackend({ threads: 1, maximumBytes: 2 ** 23 });
  const [b, c, y, w] = [1, 1, 4, 4].map((bytes) => ({ buffer: backend.allocate(bytes * length), offset: 0 }));
  const executable = backend.compile(kernel);
  backend.allocate(largest(backend) - length - 64);
  const a = { buffer: backend.allocate(length), offset: 0 };
  expect(() => backend.allocate(0)).toThrow("no memory");
  const call = {
    inputs: { a, b },
    outputs: { y, w, b, c },
    uniforms: { key: 77 },
    sizes: { rows: 1, columns: length },
  };
  expect(() => backend.run(executable, call)).not.toThrow();
  await backend.close();
});

/** The most bytes that one more buffer can have, to 64. */
function largest(backend: Backend): number {
  let [fits, fails] = [0, 2 ** 23];
  while (fails - fits > 64) {
    const middle = Math.floor((fits + fails) / 128) * 64;
    try {
      backend.free(backend.allocate(middle));
      fits = middle;
    } catch {
      fails = middle;
    }
  }
  return fits;
}
