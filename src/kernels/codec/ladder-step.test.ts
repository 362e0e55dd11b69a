import { expect, it } from "vitest";
import { format } from "../../formats/index.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { pointwise } from "../pointwise.ts";
import { element, output } from "../signature.ts";
import { createWasmBackend } from "../wasm/index.ts";
import type { Backend } from "../backend.ts";
import { roundToLadder, type InLadder } from "./ladder-step.ts";

const SIZE = 4000;
const values = Float32Array.from({ length: SIZE }, (_, i) => (i % 2 ? -1 : 1) * 2 ** -((i * 0.0137) % 9));
const noise = Uint32Array.from({ length: SIZE }, (_, i) => Math.imul(i, 0x9e3779b9) >>> 0);

function ladderOf(name: string) {
  const { coding, ...rest } = format(name);
  if (coding.kind !== "ladder") throw new TypeError(name);
  return { coding, ...rest };
}

async function codesOf(backend: Backend, name: string, x: Float32Array, u: Uint32Array, how: InLadder) {
  const { coding } = ladderOf(name);
  const kernel = pointwise(
    `to ${name}`,
    { x: element("f32"), u: element("u32") },
    {},
    ({ x: value, u: bits }) => ({ y: output("u8", roundToLadder(coding, value, bits, how)) }),
  );
  const slice = (bytes: number) => ({ buffer: backend.allocate(bytes), offset: 0 });
  const [a, b, y] = [slice(4 * x.length), slice(4 * x.length), slice(x.length)];
  backend.write(a, x);
  backend.write(b, u);
  backend.run(backend.compile(kernel), {
    inputs: { x: a, u: b },
    outputs: { y },
    uniforms: {},
    sizes: { rows: 1, columns: x.length },
  });
  const codes = Array.from(await backend.read(y, "u8", x.length), Number);
  await backend.close();
  return codes;
}

const backends = {
  wasm: () => createWasmBackend({ threads: 1 }),
  reference: async () => createReferenceBackend(),
};

it.each([
  ["lns8-g16", 1 / 1000],
  ["lns8-g8", 1 / 400],
  ["ulns8-g4", 1 / 400],
])("rounds to %s with the format's chances, and leaves a rung where it is", async (name, share) => {
  const { coding, decode, encode } = ladderOf(name);
  const own = Array.from(values, (x, i) => encode(x, "stochastic", noise[i]));
  const codes = await codesOf(await backends.wasm(), name, values, noise, {});
  expect(await codesOf(await backends.reference(), name, values, noise, {})).toEqual(codes);
  const off = codes.map((code, i) => (code & coding.rungs) - (own[i] & coding.rungs));
  expect(off.every((d) => Math.abs(d) <= 1)).toBe(true);
  expect(off.filter((d) => d !== 0).length).toBeLessThan(2 * share * SIZE);
  const rungs = Array.from({ length: 2 ** 8 }, (_, code) => code).filter((code) => decode(code) !== 0);
  for (const bits of [0, 0xffffffff]) {
    const x = Float32Array.from(rungs, decode);
    const again = await codesOf(await backends.wasm(), name, x, new Uint32Array(x.length).fill(bits), {});
    expect(again).toEqual(rungs);
  }
});

it("adds octaves and takes others off, saturates, and gives code 0 for NaN and for what is too small", async () => {
  const x = Float32Array.of(0.25, -0.25, 8, Infinity, NaN, 0, -1e-30);
  const codes = await codesOf(await backends.wasm(), "lns8-g8", x, new Uint32Array(x.length), { octaves: 1 });
  expect(codes).toEqual([119, 128 + 119, 127, 127, 0, 0, 0]);
});
