import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDtype,
  SafetensorsError,
  type SafetensorsTensor,
} from "./safetensors.ts";
import { joinBytes } from "./sha256.ts";

/** A file by hand, so that the writer under test is not the judge of the reader. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

function failure(bytes: Uint8Array): SafetensorsError {
  try {
    decodeSafetensors(bytes, "x.safetensors");
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
  throw new Error("was read without complaint");
}

const small: Record<string, SafetensorsTensor> = {
  codes: { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) },
  weight: { dtype: "F32", shape: [1, 2], bytes: new Uint8Array(new Float32Array([1.5, -2]).buffer) },
  half: { dtype: "BF16", shape: [2], bytes: new Uint8Array(Uint16Array.of(0x3f80, 0xc000).buffer) },
  nothing: { dtype: "F32", shape: [0, 4], bytes: new Uint8Array(0) },
};

describe("encodeSafetensors", () => {
  it("lays a file out as the format says", () => {
    const tensor = { dtype: "I32", shape: [1], bytes: Uint8Array.of(7, 0, 0, 0) } as const;
    const file = joinBytes(encodeSafetensors({ a: tensor }, { who: "me" }));
    const json = '{"__metadata__":{"who":"me"},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    expect(Array.from(file.subarray(0, 8))).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(file.subarray(8, 8 + padded.length))).toBe(padded);
    expect(Array.from(file.subarray(8 + padded.length))).toEqual([7, 0, 0, 0]);
  });

  it("starts every tensor at a multiple of its element size", () => {
    const { tensors } = decodeSafetensors(joinBytes(encodeSafetensors(small)));
    expect((tensors.get("weight")?.bytes.byteOffset ?? 1) % 8).toBe(0);
    expect((tensors.get("half")?.bytes.byteOffset ?? 1) % 2).toBe(0);
  });

  it("refuses bytes that do not match the shape, and a reserved name", () => {
    const short = { dtype: "F32", shape: [2], bytes: new Uint8Array(7) } as const;
    expect(() => encodeSafetensors({ w: short })).toThrow(/"w" F32 \[2\] needs 8 bytes, has 7/);
    expect(() => encodeSafetensors({ __metadata__: small.codes })).toThrow(SafetensorsError);
  });
});

describe("decodeSafetensors", () => {
  it("gives back every tensor and the metadata", () => {
    const { tensors, metadata } = decodeSafetensors(joinBytes(encodeSafetensors(small, { step: "3" })));
    expect(metadata).toEqual({ step: "3" });
    expect(Object.fromEntries(tensors)).toEqual(small);
  });

  it("keeps any name and content (property)", () => {
    const dtypes: SafetensorsDtype[] = ["U8", "I8", "U16", "I32", "U32", "F16", "BF16", "F32", "F64"];
    const size = { U8: 1, I8: 1, U16: 2, I32: 4, U32: 4, F16: 2, BF16: 2, F32: 4, F64: 8 };
    const tensor = fc
      .tuple(fc.constantFrom(...(dtypes as (keyof typeof size)[])), fc.nat(5), fc.nat(3))
      .chain(([dtype, rows, columns]) => {
        const length = rows * columns * size[dtype];
        return fc
          .uint8Array({ minLength: length, maxLength: length })
          .map((bytes): SafetensorsTensor => ({ dtype, shape: [rows, columns], bytes }));
      });
    const name = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "10", "é\n\"'"));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, tensor)),
        fc.dictionary(fc.string(), fc.string()),
        (list, notes) => {
          const tensors = Object.fromEntries(list.filter(([key]) => key !== "__metadata__"));
          const read = decodeSafetensors(joinBytes(encodeSafetensors(tensors, notes)));
          expect(Object.fromEntries(read.tensors)).toEqual(tensors);
          expect(read.metadata).toEqual({ ...notes });
        },
      ),
      { numRuns: 200 },
    );
  });

  const entry = { dtype: "U8", shape: [2], data_offsets: [0, 2] };
  const two = Uint8Array.of(1, 2);
  it.each<[string, Uint8Array, number, RegExp]>([
    ["an empty file", new Uint8Array(0), 0, /ends inside the 8 bytes/],
    ["a cut header", fileOf({ a: entry }, two).subarray(0, 20), 20, /ends inside the header/],
    ["a huge header", new Uint8Array(8).fill(0xff), 0, /18446744073709551615 bytes, the limit is 25000000/],
    ["no JSON", fileOf("{nope"), 8, /not JSON/],
    ["no UTF-8", fileOf({ a: entry }, two).with(9, 0xff), 8, /not JSON/],
    ["JSON that is no object", fileOf("[]"), 8, /not a JSON object/],
    ["metadata that is no text", fileOf({ __metadata__: { a: 1 } }), 8, /not an object of strings/],
    ["an unknown type", fileOf({ a: { ...entry, dtype: "F7" } }, two), 8, /"F7" \(known: BOOL, /],
    ["a type from the prototype", fileOf({ a: { ...entry, dtype: "toString" } }, two), 8, /unknown dtype/],
    ["a negative shape", fileOf({ a: { ...entry, shape: [-1, -2] } }, two), 8, /not possible/],
    ["an overflowing shape", fileOf({ a: { ...entry, shape: [2 ** 40, 2 ** 40] } }, two), 8, /not possible/],
    ["a tensor outside", fileOf({ a: { ...entry, data_offsets: [1, 3] } }, two), 8, /outside/],
    ["offsets backwards", fileOf({ a: { ...entry, data_offsets: [2, 0] } }, two), 8, /outside/],
    ["offsets that are no numbers", fileOf({ a: { ...entry, data_offsets: [0, "2"] } }, two), 8, /two whole/],
    ["a wrong length", fileOf({ a: { ...entry, shape: [1] } }, two), 8, /needs 1 bytes, has 2/],
    ["missing data", fileOf({ a: entry }), 8, /outside the data part of 0 bytes/],
    ["spare bytes", fileOf({ a: entry }, Uint8Array.of(1, 2, 3)), 60, /1 bytes belong to no tensor/],
    ["overlap", fileOf({ a: entry, b: { ...entry } }, two), 109, /"b" overlaps/],
  ])("refuses %s", (_, bytes, byte, reason) => {
    const error = failure(bytes);
    expect(error.message).toMatch(reason);
    expect(error.message).toMatch(/^logrung: "x\.safetensors" is not a valid safetensors file: byte \d+: /);
    if (byte < 60) expect(error.byte).toBe(byte);
    else expect(error.byte).toBeGreaterThan(8);
  });

  it("meets random bytes, cuts and flips with a valid parse or a SafetensorsError, never with a crash", () => {
    const valid = joinBytes(encodeSafetensors(small, { format: "test" }));
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((data) => fileOf("{}", data)),
      fc.nat(valid.length).map((length) => valid.slice(0, length)),
      fc.array(fc.nat(valid.length * 8 - 1), { minLength: 1, maxLength: 4 }).map((bits) => {
        const bytes = valid.slice();
        for (const bit of bits) bytes[bit >> 3] ^= 1 << (bit & 7);
        return bytes;
      }),
      fc.json().map((json) => fileOf(json)),
      fc
        .dictionary(
          fc.constantFrom("a", "b", "__metadata__"),
          fc.record({
            dtype: fc.oneof(fc.constantFrom("U8", "F4", "F32"), fc.anything()),
            shape: fc.oneof(fc.array(fc.nat(4)), fc.anything()),
            data_offsets: fc.oneof(fc.tuple(fc.nat(9), fc.nat(9)), fc.anything()),
          }),
        )
        .map((header) => fileOf(JSON.stringify(header, unsafeNumbers), new Uint8Array(8))),
    );
    fc.assert(
      fc.property(broken, (bytes) => {
        try {
          decodeSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("refuses every truncation", () => {
    const valid = joinBytes(encodeSafetensors(small));
    for (let length = 0; length < valid.length; length++) failure(valid.subarray(0, length));
  });
});

/** fast-check's `anything` holds bigints, which JSON has not. */
function unsafeNumbers(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
