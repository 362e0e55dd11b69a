import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zipOf } from "../../test/data/archives.ts";
import { global, integer, pickled, pytorchPickles, pytorchZip, string } from "../../test/data/pytorch.ts";
import { PickleError, unpickle } from "./pickle.ts";
import { decodePytorch, isPytorch, PytorchFileError } from "./pytorch-file.ts";
import type { SafetensorsDtype, SafetensorsTensor } from "./safetensors.ts";
import { ZipError } from "./zip.ts";

const tensor = (dtype: SafetensorsDtype, shape: readonly number[], values: ArrayBufferView): SafetensorsTensor => ({
  dtype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
}); // prettier-ignore

const tensors = new Map([
  ["conv.weight", tensor("F32", [2, 3, 1, 1], Float32Array.of(1, -2, 3, 4.5, 5, -6))],
  ["bn.running_var", tensor("F64", [2], Float64Array.of(0.1, 0.2))],
  ["bn.half", tensor("F16", [3], Uint16Array.of(0x3c00, 0, 0xbc00))],
  ["bn.num_batches_tracked", tensor("I64", [], BigInt64Array.of(70_000n))],
]);
const kinds = [
  ["a zip archive", pytorchZip(tensors)],
  ["pickles", pytorchPickles(tensors)],
] as const;

const plain = (found: ReadonlyMap<string, SafetensorsTensor>) =>
  [...found].map(([name, { dtype, shape, bytes }]) => [name, dtype, shape, [...bytes]]);

describe.each(kinds)("PyTorch's tensors in %s", (_, bytes) => {
  it("are read as they were written", () => {
    expect(isPytorch(bytes)).toBe(true);
    expect(plain(decodePytorch(bytes, "a.pth"))).toEqual(plain(tensors));
  });

  it("are never half read: what is cut off is refused", () => {
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodePytorch(bytes.subarray(0, length), "a.pth")).toThrow(/"a\.pth"/);
  });

  it("are refused by a known error, whatever byte is another", () => {
    const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(change, ({ at, to }) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = to;
        try {
          decodePytorch(damaged, "a.pth");
        } catch (error) {
          const known = [PytorchFileError, PickleError, ZipError].some((type) => error instanceof type);
          expect(known, String(error)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** What reading an archive with this pickle says. */
function fault(...operations: readonly Buffer[]): string {
  try {
    decodePytorch(pytorchZip(tensors, pickled(...operations)), "a.pth");
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}
const letters = (text: string): Buffer => Buffer.from(text);

describe("PyTorch's older ways", () => {
  const one = new Map([["weight", tensor("F32", [3], Float32Array.of(1, 2, 3))]]);
  const storage = Buffer.concat([
    letters("("), string("storage"), global("torch.FloatStorage"), string("0"), string("cpu"), integer(3), letters("tQ"),
  ]); // prettier-ignore
  /** Two elements from the second on, as before 0.4. */
  const view = Buffer.concat([
    global("torch._utils._rebuild_tensor"), letters("("), storage, integer(1), letters("("), integer(2), letters("t("),
    integer(1), letters("ttR"),
  ]); // prettier-ignore
  const parameter = Buffer.concat([
    global("torch._utils._rebuild_parameter"), letters("("), view, Buffer.of(0x88), letters(")tR"),
  ]); // prettier-ignore
  const read = (...operations: readonly Buffer[]) =>
    plain(decodePytorch(pytorchZip(one, pickled(...operations)), "a.pth"));
  const wanted = [["w", "F32", [2], [...new Uint8Array(Float32Array.of(2, 3).buffer)]]];

  it("are read: parts of storages, parameters, and a state_dict beside other things", () => {
    expect(read(letters("}"), string("w"), view, letters("s"))).toEqual(wanted);
    expect(read(letters("}"), string("w"), parameter, letters("s"))).toEqual(wanted);
    const inner = [letters("}"), string("w"), view, letters("s")];
    const outer = [letters("}("), string("epoch"), integer(3), string("state_dict"), ...inner, letters("u")];
    expect(read(...outer)).toEqual(wanted);
  });
});

describe("what is no state_dict", () => {
  it("is refused by what it names", () => {
    const system = fault(global("os.system"), letters("("), string("true"), letters("t"), letters("R"));
    expect(system).toMatch(/"a\.pth" .* byte \d+ of its pickle: it names "os\.system", which is not read/);
    expect(fault(global("torch.nn.modules.conv.Conv2d"))).toMatch(/"torch\.nn\.modules\.conv\.Conv2d".*state_dict/);
    expect(fault(global("__builtin__.getattr"))).toMatch(/getattr/);
    expect(fault(global("torch._utils._rebuild_tensor_v2"), letters(")R"))).toMatch(/arguments that do not fit/);
    expect(fault(string("elsewhere"), letters("Q"))).toMatch(/no storage of a tensor/);
    expect(fault(letters("i"))).toMatch(/operation 0x69/);
    expect(fault(letters("}"), string("epoch"), integer(3), letters("s"))).toMatch(/"epoch" is no tensor/);
    expect(fault(integer(3))).toMatch(/no dictionary of tensors/);
    const torchscript = zipOf([{ path: "model/code.py", content: letters("x"), method: 0 }]);
    expect(() => decodePytorch(torchscript, "a.pt")).toThrow(/without data\.pkl/);
    expect(isPytorch(letters("{}"))).toBe(false);
  }); // prettier-ignore

  it("is refused where a tensor does not lie row by row", () => {
    const one = new Map([["weight", tensor("F32", [2, 3], new Float32Array(6))]]);
    expect(() => decodePytorch(pytorchZip(one, undefined, [1, 2]), "a.pth")).toThrow(
      /"weight" does not lie row by row/,
    );
  });

  it("is refused where a storage is missing or too short", () => {
    const data = [...new Map(kinds)][0][1];
    const long = new Map([...tensors, ["conv.weight", tensor("F32", [9], new Float32Array(6))]]);
    expect(() => decodePytorch(pytorchZip(long), "a.pth")).toThrow(/"conv\.weight" needs 36 bytes, its storage has 24/);
    const renamed = Buffer.from(Buffer.from(data).toString("latin1").replaceAll("model/data/0", "model/gone/0"), "latin1");
    expect(() => decodePytorch(renamed, "a.pth")).toThrow(/"conv\.weight" lies in storage "0", which is missing/);
  }); // prettier-ignore
});

describe("unpickle", () => {
  const nothing = {
    globals: new Set<string>(),
    call: () => null,
    persistent: () => null,
  };
  const read = (...operations: readonly Buffer[]) => unpickle(pickled(...operations), 0, "a", nothing).value;

  it("reads plain data", () => {
    expect(read(letters("("), integer(7), integer(-70_000), letters("N"), Buffer.of(0x88), letters("t"))).toEqual([
      7, -70_000, null, true,
    ]);
    expect(read(Buffer.from("8a020001", "hex"))).toBe(256);
    expect(read(Buffer.from("8a01ff", "hex"))).toBe(-1);
    expect(read(Buffer.from("473ff8000000000000", "hex"))).toBe(1.5);
    expect(read(letters("]"), Buffer.from("7100", "hex"), letters("("), Buffer.from("6800", "hex"), letters("t"))).toEqual([[]]);
  }); // prettier-ignore

  it("refuses other protocols", () => {
    expect(() => unpickle(Buffer.of(0x80, 4), 0, "a", nothing)).toThrow(/protocol 4, wants 2/);
  });
});
