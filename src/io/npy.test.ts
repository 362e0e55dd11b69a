import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { floatBytes, floatValues, halfBits, halfValue } from "./element-values.ts";
import { decodeNpy, encodeNpy, NpyError, type NpyArray } from "./npy.ts";

/** A file as NumPy lays it out; `header` is padded to `padded` bytes in all. */
function fileOf(version: number, header: string, elements: string | Uint8Array, padded = 128): Uint8Array {
  const start = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(padded).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, padded - start, true);
  else view.setUint32(8, padded - start, true);
  bytes.set(Buffer.from(header, "latin1"), start);
  bytes[padded - 1] = 0x0a;
  return Buffer.concat([bytes, typeof elements === "string" ? Buffer.from(elements, "hex") : elements]);
}

const dictionary = (descr: string, fortran: string, shape: string) =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const matrix = [1, -2.5, 0.1, 3e-5, 65504, -0];

/** Written by NumPy 2.4.6 (`numpy.save`, and `write_array` for versions 2.0 and 3.0). */
const golden = {
  "C order": [
    fileOf(1, dictionary("<f4", "False", "(2, 3)"), "0000803f000020c0cdcccc3d82a8fb3700e07f4700000080"),
    { dtype: "f4", bigEndian: false, fortranOrder: false, shape: [2, 3] },
  ],
  "Fortran order": [
    fileOf(1, dictionary("<f4", "True", "(2, 3)"), "0000803f82a8fb37000020c000e07f47cdcccc3d00000080"),
    { dtype: "f4", bigEndian: false, fortranOrder: true, shape: [2, 3] },
  ],
  "version 2.0, big-endian": [
    fileOf(
      2,
      dictionary(">f8", "False", "(2, 3)"),
      "3ff0000000000000c0040000000000003fb999999999999a3eff75104d551d6940effc00000000008000000000000000",
    ),
    { dtype: "f8", bigEndian: true, fortranOrder: false, shape: [2, 3] },
  ],
  "version 3.0, half": [
    fileOf(3, dictionary(">f2", "False", "(2, 3)"), "3c00c1002e6601f77bff8000"),
    { dtype: "f2", bigEndian: true, fortranOrder: false, shape: [2, 3] },
  ],
  "one number": [
    fileOf(1, dictionary("<f4", "False", "()"), "0000e040"),
    { dtype: "f4", bigEndian: false, fortranOrder: false, shape: [] },
  ],
  bytes: [
    fileOf(1, dictionary("|i1", "False", "(3,)"), "000102"),
    { dtype: "i1", bigEndian: false, fortranOrder: false, shape: [3] },
  ],
} as const satisfies Record<string, readonly [Uint8Array, Omit<NpyArray, "bytes">]>;

const fault = (bytes: Uint8Array): NpyError => {
  try {
    decodeNpy(bytes, "x.npy");
  } catch (error) {
    if (error instanceof NpyError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};
const faultOf = (header: string) => fault(fileOf(1, header, ""));

describe("npy", () => {
  it.each(Object.entries(golden))("reads what NumPy writes: %s", (_, [file, wanted]) => {
    const { bytes, ...rest } = decodeNpy(file);
    expect(rest).toEqual(wanted);
    expect(bytes.length).toBe(file.length - 128);
  });

  it("gives the same numbers in every order of bytes", () => {
    const numbers = (file: Uint8Array, type: "f16" | "f32" | "f64") => {
      const { bytes, bigEndian } = decodeNpy(file);
      return [...floatValues(bytes, type, bigEndian)];
    };
    expect(numbers(golden["C order"][0], "f32")).toEqual(matrix.map(Math.fround));
    expect(numbers(golden["version 2.0, big-endian"][0], "f64")).toEqual(matrix);
    expect(numbers(golden["version 3.0, half"][0], "f16")).toEqual(matrix.map(halfBits).map(halfValue));
  });

  it.each(["C order", "Fortran order", "one number", "bytes"] as const)(
    "writes byte for byte what NumPy writes: %s",
    (name) => {
      const [file] = golden[name];
      expect(Buffer.concat(encodeNpy(decodeNpy(file))).equals(file)).toBe(true);
    },
  );

  it("reads back whatever it writes", () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
    fc.assert(
      fc.property(shapes, fc.boolean(), fc.boolean(), (shape, bigEndian, fortranOrder) => {
        const bytes = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 4) }, (_, i) => i);
        const array = { dtype: "f4", bigEndian, fortranOrder, shape, bytes } as const;
        const file = Buffer.concat(encodeNpy(array));
        expect((file.length - bytes.length) % 64).toBe(0);
        expect(decodeNpy(file)).toEqual({ ...array, bytes: Buffer.from(bytes) });
      }),
      { numRuns: 50 },
    );
    expect(() => encodeNpy({ ...decodeNpy(golden.bytes[0]), shape: [4] })).toThrow("needs 4 bytes, has 3");
  });

  it("names the byte where a file is cut off or goes on", () => {
    const [file] = golden["C order"];
    for (let length = 0; length < file.length; length++) {
      expect(fault(file.subarray(0, length)).byte).toBe(length);
    }
    expect(fault(file.subarray(0, 140)).message).toBe(
      'logrung: "x.npy" is not an npy file that can be read: byte 140: the file ends here, 12 bytes too early: ' +
        "the array f4 [2, 3] needs 24 bytes",
    );
    expect(fault(Buffer.concat([file, file]))).toMatchObject({ byte: 152, reason: /^152 bytes follow/ });
  });

  it("refuses other files, versions and types, naming the byte", () => {
    expect(fault(Buffer.from("PK\u0003\u0004"))).toMatchObject({ byte: 0, reason: /does not begin/ });
    expect(fault(Buffer.from([0x93, 0x4e, 0x55, 0, 0, 0]))).toMatchObject({ byte: 3 });
    expect(fault(fileOf(4, "", ""))).toMatchObject({ byte: 6, reason: "version 4.0 (known: 1.0, 2.0, 3.0)" });
    for (const descr of ["<c8", "|O", "<U2", "<M8[s]", "<f16", "toString", ""]) {
      const { byte, reason } = faultOf(dictionary(descr, "False", "(1,)"));
      expect([byte, reason]).toEqual([20, expect.stringContaining(`"${descr}" are not read (known: b1, i1`)]);
    }
    expect(faultOf(dictionary("=f4", "False", "(1,)")).reason).toContain("byte order");
    expect(faultOf("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")).toMatchObject({
      byte: 20,
      reason: expect.stringContaining("save one field alone"),
    });
  });

  it.each([
    ["", 128, "wants {"],
    ["['descr']", 10, "wants {"],
    ["{'descr' '<f4'}", 19, "wants :"],
    ["{'descr': '<f4' 'shape': (1,)}", 26, "wants , or }"],
    ["{'descr': None}", 20, "a string, True, False or a tuple for 'descr'"],
    ["{'descr': '<f4', 'descr': '<f4'}", 34, "no second 'descr'"],
    ["{'descr': '<f4', 'fortran_order': False}", 10, "has no entry 'shape'"],
    [`${dictionary("<f4", "False", "(1,)")} + 1`, 68, "nothing more"],
    [dictionary("<f4", "False", "(1,)").replace("}", "'x': True}"), 71, "unknown entry 'x'"],
    [dictionary("<f4", "'no'", "(1,)"), 44, "'fortran_order' wants True or False"],
    [dictionary("<f4", "False", "(3)"), 62, "a tuple of one number"],
    [dictionary("<f4", "False", "(-3,)"), 61, "a whole number"],
    [dictionary("<f4", "False", "(2, 3"), 67, "a whole number or )"],
  ])("refuses the header %j at byte %i", (header, byte, reason) => {
    expect(faultOf(header)).toMatchObject({ byte, reason: expect.stringContaining(reason) });
  });

  it("refuses a shape that no file can hold", () => {
    for (const shape of ["(4294967296, 4294967296)", "(99999999999999999999,)", `(${"9".repeat(40)}, 0)`]) {
      expect(faultOf(dictionary("<f4", "False", shape))).toMatchObject({ byte: 60, reason: /more elements/ });
    }
    const axes = `(${"1, ".repeat(65)})`;
    expect(fault(fileOf(1, dictionary("<f4", "False", axes), "", 320)).reason).toContain("at most 64 axes");
  });

  it("throws nothing but its own error, whatever the bytes are", () => {
    const [file] = golden["C order"];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 0, max: 255 }), (place, byte) => {
        const broken = Uint8Array.from(file);
        broken[place] = byte;
        try {
          decodeNpy(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(NpyError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("half floats", () => {
  it("come back from their bits, all of them", () => {
    const codes = Array.from({ length: 2 ** 16 }, (_, bits) => bits);
    const numbers = codes.filter((bits) => !Number.isNaN(halfValue(bits)));
    expect(numbers.length).toBe(2 ** 16 - 2 * 1023);
    expect(numbers.filter((bits) => halfBits(halfValue(bits)) !== bits)).toEqual([]);
    expect(halfBits(NaN)).toBe(0x7e00);
  });

  it("are rounded to nearest, ties to even, and overflow to Inf", () => {
    const wrong = Array.from({ length: 0x7bff }, (_, bits) => bits).filter((bits) => {
      const middle = (halfValue(bits) + halfValue(bits + 1)) / 2;
      const even = bits + (bits % 2);
      const ties = halfBits(middle) === even && halfBits(-middle) === (even | 0x8000);
      const above = halfBits(middle * (1 + 2 ** -22)) === bits + 1;
      return !(ties && above && halfBits(middle * (1 - 2 ** -22)) === bits);
    });
    expect(wrong).toEqual([]);
    expect([65519, 65520, 1e30].map(halfBits)).toEqual([0x7bff, 0x7c00, 0x7c00]);
    expect([...floatBytes(Float32Array.of(1, -2), "f16", true)]).toEqual([0x3c, 0, 0xc0, 0]);
  });
});
