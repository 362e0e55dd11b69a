import { describe, expect, it } from "vitest";
import { Module, signed, unsigned } from "./assembler.ts";

describe("LEB128", () => {
  it("encodes the examples of the specification", () => {
    expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
    expect(signed(-123456)).toEqual([0xc0, 0xbb, 0x78]);
    expect(signed(-1)).toEqual([0x7f]);
    expect(signed(64)).toEqual([0xc0, 0x00]);
    expect(unsigned(0)).toEqual([0]);
  });
});

describe("Module", () => {
  it("assembles a loop over shared memory that the engine runs", () => {
    const module = new Module({ maximumPages: 16, shared: true });
    const square = module.function(["i32"], ["i32"], null, (code, x) => {
      code.get(x).get(x).op("i32.mul");
    });
    module.function(["i32"], ["i32"], "sumOfSquares", (code, n) => {
      const i = code.local("i32");
      const sum = code.local("i32");
      code.while(
        () => code.get(i).get(n).op("i32.lt_s"),
        () => {
          code.get(i).i32(1).op("i32.add").tee(i).call(square).get(sum).op("i32.add").set(sum);
        },
      );
      code.get(sum);
    });
    module.function(["i32"], [], "double", (code, at) => {
      code
        .get(at)
        .get(at)
        .memory("v128.load")
        .get(at)
        .memory("v128.load")
        .op("f32x4.add")
        .memory("v128.store");
    });
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {
      env: { memory },
    });
    const sum = exports.sumOfSquares as (n: number) => number;
    expect(sum(10)).toBe(385);
    const floats = new Float32Array(memory.buffer, 64, 4);
    floats.set([1, 2, -3, 0.5]);
    (exports.double as (at: number) => void)(64);
    expect([...floats]).toEqual([2, 4, -6, 1]);
  });
});
