/** Encoding and decoding programs against the scalar formats, on every backend. */
import { afterAll, describe, expect, it } from "vitest";
import { float32Bits } from "../../../src/formats/float32-bits.ts";
import { format, roundings, type ScalarFormat } from "../../../src/formats/format.ts";
import type { Backend, BufferSlice, HostArray } from "../../../src/kernels/backend.ts";
import { codeStorage, decodeTable, decodeValue, encodeValue, stepRungs } from "../../../src/kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../../../src/kernels/pointwise.ts";
import { index } from "../../../src/kernels/program.ts";
import { randomBits, uniformFloat } from "../../../src/kernels/random.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { element, output } from "../../../src/kernels/signature.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import * as scalar from "../../../src/random/random-bits.ts";
import { criticalFloats, sampleFormats, testRandom } from "./sample.ts";

interface Candidate {
  readonly name: string;
  /** Takes one input in so many: the interpreter is slow. */
  readonly stride: number;
  readonly open: () => Promise<Backend>;
}

const candidates: Candidate[] = [
  { name: "reference", stride: 3, open: async () => createReferenceBackend({ precision: "float32" }) },
  { name: "wasm", stride: 1, open: () => createWasmBackend() },
];

/** Runs a pointwise kernel over a flat array; gives its u32 output `y`. */
async function run(
  backend: Backend,
  kernel: PointwiseKernel,
  inputs: Record<string, HostArray>,
  uniforms = {},
) {
  const length = Object.values(inputs)[0].length;
  const place = (bytes: number): BufferSlice => ({ buffer: backend.allocate(bytes), offset: 0 });
  const slices = Object.fromEntries(
    Object.entries(inputs).map(([name, data]) => {
      const slice = place(data.byteLength);
      backend.write(slice, data);
      return [name, slice];
    }),
  );
  const y = place(length * 4);
  const sizes = { rows: 1, columns: length };
  backend.run(backend.compile(kernel), { inputs: slices, outputs: { y }, uniforms, sizes });
  const result = Uint32Array.from(await backend.read(y, "u32", length));
  for (const { buffer } of [...Object.values(slices), y]) backend.free(buffer);
  return result;
}

/** The first place where two arrays differ, for messages; undefined when they are equal. */
function firstDifference(
  actual: Uint32Array,
  expected: Uint32Array,
  inputs: ArrayLike<number>,
): string | undefined {
  const at = actual.findIndex((value, i) => value !== expected[i]);
  return at < 0 ? undefined : `input ${inputs[at]}: got ${actual[at]}, wants ${expected[at]}`;
}

const allCodes = ({ bits }: ScalarFormat): Uint32Array =>
  Uint32Array.from({ length: 2 ** bits }, (_, code) => code);

/** decode as a program gives it: float32, the ladder's subnormals as zero, one NaN. */
function decodedBits(target: ScalarFormat, code: number): number {
  const value = Math.fround(target.decode(code));
  const flushed = target.coding.kind === "ladder" && Math.abs(value) < 2 ** -126;
  return float32Bits(flushed ? (code >= 2 ** (target.info.signBit ?? 32) ? -0 : 0) : value);
}

const isNaNBits = (bits: number): boolean => (bits & 0x7fffffff) > 0x7f800000;

describe.each(candidates)("$name", ({ open, stride }) => {
  const opened = open();
  afterAll(async () => (await opened).close());

  it.each(sampleFormats.map((f) => [f.name, f] as const))(
    "%s encodes as the scalar does",
    async (name, target) => {
      const backend = await opened;
      const x = criticalFloats(target).filter((_, i) => i % stride === 0);
      const random = testRandom(3);
      const u = Uint32Array.from(x, (_, i) => [random(), 0, 0xffffffff][i % 3]);
      const inputs = { x: element("f32"), u: element("u32") };
      for (const rounding of roundings) {
        const kernel = pointwise(`${name} ${rounding}`, inputs, {}, (scope) => ({
          y: output("u32", encodeValue(target, scope.x, rounding, scope.u)),
        }));
        const expected = Uint32Array.from(x, (value, i) => target.encode(value, rounding, u[i]));
        const wrong = firstDifference(await run(backend, kernel, { x, u }), expected, x);
        if (wrong) expect.fail(`${rounding}: ${wrong}`);
      }
    },
  );

  it.each(sampleFormats.map((f) => [f.name, f] as const))(
    "%s decodes as the scalar does",
    async (name, target) => {
      const backend = await opened;
      const codes = allCodes(target);
      const storage = codeStorage(target);
      const kernel = pointwise(`${name} decode`, { code: element(storage) }, {}, (scope) => ({
        y: output("u32", decodeValue(target, scope.code).asU32()),
      }));
      const code = storage === "u8" ? Uint8Array.from(codes) : Uint16Array.from(codes);
      const expected = codes.map((c) => decodedBits(target, c));
      const got = (await run(backend, kernel, { code })).map((bits, i) =>
        isNaNBits(bits) && isNaNBits(expected[i]) ? expected[i] : bits,
      );
      expect(firstDifference(got, expected, codes)).toBeUndefined();
    },
  );

  it("passes fp32 through, bit by bit", async () => {
    const x = criticalFloats(format("fp32"));
    const kernel = pointwise("fp32", { x: element("f32") }, {}, (scope) => ({
      y: output(
        "u32",
        decodeValue(format("fp32"), encodeValue(format("fp32"), scope.x, "nearest-even")).asU32(),
      ),
    }));
    expect(await run(await opened, kernel, { x })).toEqual(new Uint32Array(x.buffer));
  });

  it.each([
    { name: "lns8-g16", least: 1 },
    { name: "lns7-eta0.01", least: 0 },
  ])("steps rungs of $name within the ladder and keeps signs", async ({ name, least }) => {
    const target = format(name);
    const codes = allCodes(target);
    const deltas = [-200, -3, -1, 0, 1, 5, 127, 2 ** 29, -(2 ** 29)];
    const code = Uint8Array.from(deltas.flatMap(() => [...codes]));
    const delta = Int32Array.from(deltas.flatMap((d) => [...codes].map(() => d)));
    const kernel = pointwise("step", { code: element("u8"), delta: element("i32") }, {}, (scope) => ({
      y: output("u32", stepRungs(target, scope.code, scope.delta)),
    }));
    const expected = Uint32Array.from(code, (c, i) => {
      const k = Math.min(127, Math.max(least, (c & 127) + delta[i]));
      return (c & 128) | k;
    });
    expect(firstDifference(await run(await opened, kernel, { code, delta }), expected, code)).toBeUndefined();
  });

  it("draws the scalar's random bits", async () => {
    const offset = Uint32Array.from({ length: 4096 }, (_, i) => i * 1048573);
    const kernel = pointwise("bits", { offset: element("u32") }, { key0: "u32", key1: "u32" }, (scope) => {
      const bits = randomBits(index().add(scope.offset), scope.key0, scope.key1);
      return { y: output("u32", bits.xor(uniformFloat(bits).asU32())) };
    });
    const [key0, key1] = [0xdeadbeef, 0x9abcdef0];
    const expected = offset.map((o, i) => {
      const bits = scalar.randomBits(o + i, key0, key1);
      return bits ^ float32Bits(scalar.uniformFloat(bits));
    });
    const got = await run(await opened, kernel, { offset }, { key0, key1 });
    expect(firstDifference(got, expected, offset)).toBeUndefined();
  });
});

describe("codec", () => {
  it("makes gemm tables at scale 1, zero beyond the last code", () => {
    const table = decodeTable(format("lns6-g4"));
    expect([table.length, table[31], table[63], table[27], table[64], table[255]]).toEqual([
      256, 1, -1, 0.5, 0, 0,
    ]);
    expect(() => decodeTable(format("lns10-g64"))).toThrow(/lns10-g64 \(10 bits\), wants at most 8/);
  });

  it("refuses what has no meaning", () => {
    const x = index().toF32();
    expect(() => encodeValue(format("lns8-g8"), x, "stochastic")).toThrow(/random bits/);
    expect(() => stepRungs(format("bf16"), index(), index().asI32())).toThrow(/wants a signed ladder/);
    expect(() => stepRungs(format("ulns8-g4"), index(), index().asI32())).toThrow(/wants a signed ladder/);
  });
});
