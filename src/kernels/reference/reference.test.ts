import { describe, expect, it } from "vitest";
import type { Backend, BufferSlice, Call, HostArray, Kernel } from "../backend.ts";
import { columns } from "../columns.ts";
import { gather } from "../gather.ts";
import { gemm } from "../gemm.ts";
import { pointwise } from "../pointwise.ts";
import { f32, i32, index, lookup, select, Table, u32, type Value } from "../program.ts";
import { rows } from "../rows.ts";
import { element, gathered, output, perColumn, perRow, table, type Outputs } from "../signature.ts";
import { createReferenceBackend } from "./index.ts";

function put(backend: Backend, data: HostArray): BufferSlice {
  const buffer = backend.allocate(data.byteLength);
  const slice = { buffer, offset: 0 };
  backend.write(slice, data);
  return slice;
}

const space = (backend: Backend, bytes: number): BufferSlice => ({
  buffer: backend.allocate(bytes),
  offset: 0,
});

function run(backend: Backend, kernel: Kernel, call: Call): void {
  backend.run(backend.compile(kernel), call);
}

/** Values of one-element programs without inputs. */
async function valueOf(value: Value, precision: "float64" | "float32" = "float64"): Promise<number> {
  const backend = createReferenceBackend({ precision });
  const storage = value.type === "bool" ? "u32" : value.type;
  const stored = value.type === "bool" ? select(value, u32(1), u32(0)) : value;
  const outputs: Outputs = { y: output(storage, stored) };
  const y = space(backend, 4);
  run(
    backend,
    pointwise("value", {}, {}, () => outputs),
    {
      inputs: {},
      outputs: { y },
      sizes: { rows: 1, columns: 1 },
    },
  );
  return (await backend.read(y, storage, 1))[0];
}

describe("scalars", () => {
  it.each([
    ["i32 add wraps", i32(2147483647).add(1), -2147483648],
    ["i32 abs wraps", i32(-2147483648).abs(), -2147483648],
    ["u32 mul wraps", u32(0xffffffff).mul(u32(0xfffffffe)), 2],
    ["u32 neg wraps", u32(1).neg(), 0xffffffff],
    ["i32 shr keeps the sign", i32(-8).shr(1), -4],
    ["u32 shr fills with zeros", u32(0x80000000).shr(31), 1],
    ["shl drops", u32(0x80000001).shl(1), 2],
    ["u32 compares unsigned", u32(0x80000000).gt(u32(1)), 1],
    ["i32 not", i32(0).not(), -1],
    ["bool not", i32(1).eq(i32(2)).not(), 1],
    ["toI32 saturates", f32(3e9).toI32(), 2147483647],
    ["toI32 truncates", f32(-1.9).toI32(), -1],
    ["toU32 of negative", f32(-5).toU32(), 0],
    ["toI32 of NaN", f32(NaN).toI32(), 0],
    ["asU32", f32(-1).asU32(), 0xbf800000],
    ["asF32", u32(0x7f800000).asF32(), Infinity],
    ["nearest ties to even", f32(2.5).nearest(), 2],
    ["nearest keeps -0", f32(-0.3).nearest(), -0],
    ["min keeps a NaN in a", f32(NaN).min(1), NaN],
    ["min drops a NaN in b", f32(1).min(f32(NaN)), 1],
    ["max of equal zeros gives b's order", f32(-0).max(0), -0],
    ["erf", f32(1).erf(), 0.8427007929497149],
  ])("%s", async (_, value, expected) => {
    const got = await valueOf(value);
    if (!Number.isFinite(expected) || Number.isInteger(expected)) expect(got).toBe(expected);
    else expect(Math.abs(got / expected - 1)).toBeLessThan(4e-15);
  });

  it("rounds each step in float32 and none in float64", async () => {
    const sum = f32(1)
      .add(f32(2 ** -30))
      .sub(1);
    expect(await valueOf(sum, "float32")).toBe(0);
    expect(await valueOf(sum, "float64")).toBe(2 ** -30);
  });

  it("takes the float32 bits of a double", async () => {
    expect(
      await valueOf(
        f32(1)
          .add(f32(2 ** -30))
          .asU32(),
      ),
    ).toBe(0x3f800000);
  });
});

describe("memory", () => {
  it("keeps doubles through stores and loads, until their bytes are overwritten", async () => {
    const backend = createReferenceBackend();
    const third = pointwise("third", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x.div(3)) }));
    const x = put(backend, new Float64Array([1 + 1e-12]));
    const y = space(backend, 4);
    run(backend, third, { inputs: { x }, outputs: { y }, sizes: { rows: 1, columns: 1 } });
    expect([...(await backend.read(y, "f32", 1))]).toEqual([(1 + 1e-12) / 3]);
    const two = pointwise("two", {}, {}, () => ({ y: output("u32", u32(0x40000000)) }));
    run(backend, two, { inputs: {}, outputs: { y }, sizes: { rows: 1, columns: 1 } });
    expect([...(await backend.read(y, "f32", 1))]).toEqual([2]);
    backend.write(y, new Float32Array([0.1]));
    expect([...(await backend.read(y, "f32", 1))]).toEqual([Math.fround(0.1)]);
  });

  it("counts bytes, and refuses freed buffers", async () => {
    const backend = createReferenceBackend();
    const a = backend.allocate(100);
    backend.free(backend.allocate(28));
    expect(backend.memory).toMatchObject({ bytes: 100, peakBytes: 128 });
    backend.free(a);
    expect(() => backend.free(a)).toThrow("freed");
    expect(() => backend.write({ buffer: a, offset: 0 }, new Float32Array(1))).toThrow("freed");
    await expect(backend.read({ buffer: a, offset: 0 }, "f32", 1)).rejects.toThrow("freed");
    expect(() => backend.allocate(-1)).toThrow(RangeError);
  });
});

describe("shapes", () => {
  const backend = createReferenceBackend();

  it("reads every access of a pointwise kernel, with outer blocks", async () => {
    const kernel = pointwise(
      "place",
      { r: perRow("f32"), c: perColumn("i8"), t: table("u16") },
      { k: "f32" },
      (s) => ({
        y: output(
          "f32",
          s.r
            .mul(100)
            .add(s.c.toF32())
            .add(lookup("t", "u16", index("row")).toF32().mul(s.k)),
        ),
        n: output("u32", index()),
      }),
    );
    const inputs = {
      r: put(backend, new Float32Array([1, 2, 3, 4])),
      c: put(backend, new Int8Array([-1, 0, 1])),
      t: put(backend, new Uint16Array([1000, 2000])),
    };
    const outputs = { y: space(backend, 48), n: space(backend, 48) };
    run(backend, kernel, { inputs, outputs, uniforms: { k: 10 }, sizes: { outer: 2, rows: 2, columns: 3 } });
    expect([...(await backend.read(outputs.y, "f32", 12))]).toEqual([
      10099, 10100, 10101, 20199, 20200, 20201, 10299, 10300, 10301, 20399, 20400, 20401,
    ]);
    expect([...(await backend.read(outputs.n, "u32", 12))]).toEqual([...Array(12).keys()]);
  });

  it("runs the stages of softmax", async () => {
    const softmax = rows("softmax", { x: element("f32") }, {}, (p) => {
      const top = p.reduce("top", "max", p.scope.x);
      const [e, sum] = p.storeAndReduce("y", output("f32", p.scope.x.sub(top).exp()), "sum", "sum");
      p.store({ y: output("f32", e.div(sum)) });
      p.perRow.loss = output("f32", sum.log());
    });
    const x = put(backend, new Float32Array([1, 2, 3, 100, 100, 100]));
    const outputs = { y: space(backend, 24), loss: space(backend, 8) };
    run(backend, softmax, { inputs: { x }, outputs, sizes: { rows: 2, columns: 3 } });
    const y = await backend.read(outputs.y, "f32", 6);
    expect(y[0] + y[1] + y[2]).toBeCloseTo(1, 14);
    expect(y[1] / y[0]).toBeCloseTo(Math.E, 14);
    expect(y[4]).toBeCloseTo(1 / 3, 15);
    expect((await backend.read(outputs.loss, "f32", 2))[1]).toBeCloseTo(Math.log(3), 15);
  });

  it("reduces columns", async () => {
    const kernel = columns(
      "c",
      { x: element("f32") },
      {},
      ({ x }) => ({
        sum: { op: "sum", value: x },
        top: { op: "max", value: x },
        low: { op: "min", value: x },
      }),
      (_, { sum, top, low }) => ({ s: output("f32", sum), d: output("f32", top.sub(low)) }),
    );
    const x = put(backend, new Float32Array([1, 2, 30, 40, -5, -6]));
    const outputs = { s: space(backend, 8), d: space(backend, 8) };
    run(backend, kernel, { inputs: { x }, outputs, sizes: { rows: 3, columns: 2 } });
    expect([...(await backend.read(outputs.s, "f32", 2))]).toEqual([26, 36]);
    expect([...(await backend.read(outputs.d, "f32", 2))]).toEqual([35, 46]);
  });

  it("gathers and accumulates rows", async () => {
    const source = put(backend, new Float32Array([1, 2, 3, 4, 5, 6]));
    const index3 = put(backend, new Int32Array([2, 0, 2]));
    const take = gather("take", "gather", { source: gathered("f32") }, {}, (s) => output("f32", s.source));
    const out = space(backend, 24);
    const sizes = { rows: 3, columns: 2 };
    run(backend, take, { inputs: { source, index: index3 }, outputs: { out }, sizes });
    expect([...(await backend.read(out, "f32", 6))]).toEqual([5, 6, 1, 2, 5, 6]);
    const give = gather("give", "accumulate", { source: element("f32") }, {}, (s) => output("f32", s.source));
    run(backend, give, { inputs: { source, index: index3 }, outputs: { out }, sizes });
    expect([...(await backend.read(out, "f32", 6))]).toEqual([8, 10, 1, 2, 11, 14]);
    backend.write(index3, new Int32Array([3]));
    expect(() => run(backend, give, { inputs: { source, index: index3 }, outputs: { out }, sizes })).toThrow(
      RangeError,
    );
  });

  it("multiplies strided batches of coded matrices into an epilogue", async () => {
    const kernel = gemm("g", "f32", "coded", { bias: perColumn("f32") }, {}, (p, { bias }) => ({
      c: output("f32", p.add(bias)),
      half: output("bf16", p.mul(0.5)),
    }));
    const a = put(backend, new Float32Array([1, 2, 3, 4]));
    const b = put(backend, new Uint8Array([0, 1, 2, 3, 4, 5]));
    const values = new Float32Array(256).map((_, i) => i * 10);
    const inputs = {
      a,
      b,
      bTable: put(backend, values),
      bScale: put(backend, new Float32Array([1, 2, 4])),
      bias: put(backend, new Float32Array([0.5, 0.25, 0.125])),
    };
    const outputs = { c: space(backend, 24), half: space(backend, 12) };
    const sizes = {
      outer: 2,
      m: 1,
      n: 3,
      k: 2,
      a: { outer: 2, row: 2, column: 1 },
      b: { row: 3, column: 1, scaleColumn: 1 },
      c: { outer: 3, row: 3 },
    };
    run(backend, kernel, { inputs, outputs, sizes });
    expect([...(await backend.read(outputs.c, "f32", 6))]).toEqual([
      60.5, 180.25, 480.125, 120.5, 380.25, 1040.125,
    ]);
    expect([...(await backend.read(outputs.half, "bf16", 2))]).toEqual([0x41f0, 0x42b4]);
  });

  it("accumulates a plain product", async () => {
    const kernel = gemm("p", "f32", "f32");
    const a = put(backend, new Float32Array([2]));
    const c = put(backend, new Float32Array([100]));
    const one = { row: 1, column: 1 };
    const sizes = { m: 1, n: 1, k: 1, a: one, b: one, c: { row: 1 }, accumulate: true };
    run(backend, kernel, { inputs: { a, b: a }, outputs: { c }, sizes });
    expect([...(await backend.read(c, "f32", 1))]).toEqual([104]);
  });
});

describe("refusals", () => {
  const backend = createReferenceBackend();
  const kernel = pointwise("scale", { x: element("f32") }, { k: "f32" }, ({ x, k }) => ({
    y: output("f32", x.mul(k)),
  }));
  const x = put(backend, new Float32Array(4));
  const sizes = { rows: 1, columns: 4 };
  const call = { inputs: { x }, outputs: { y: x }, uniforms: { k: 1 }, sizes };

  it.each<[string, Call, string]>([
    ["input", { ...call, inputs: {} }, 'kernel "scale": input "x" is missing'],
    ["output", { ...call, outputs: {} }, 'kernel "scale": output "y" is missing'],
    ["uniform", { ...call, uniforms: {} }, 'kernel "scale": uniform "k" is missing'],
    [
      "size",
      { ...call, sizes: { rows: 1 } as Call["sizes"] & { columns: number } },
      'size "columns" is missing',
    ],
  ])("names a missing %s", (_, wrong, message) => {
    expect(() => run(backend, kernel, wrong)).toThrow(TypeError);
    expect(() => run(backend, kernel, wrong)).toThrow(message);
  });

  it("refuses slices that are too small or misaligned", () => {
    expect(() => run(backend, kernel, { ...call, sizes: { rows: 1, columns: 5 } })).toThrow(RangeError);
    const late = { buffer: x.buffer, offset: 4 };
    expect(() => run(backend, kernel, { ...call, inputs: { x: late } })).toThrow(
      '"x" has 12 bytes, needs 16',
    );
    const odd = { buffer: x.buffer, offset: 2 };
    expect(() => run(backend, kernel, { ...call, inputs: { x: odd } })).toThrow("wants a multiple of 4");
  });

  it("writes in place of an input when the output is left out", async () => {
    const inPlace = pointwise("in place", { x: element("f32") }, {}, (s) => ({
      x: output("f32", s.x.add(1)),
    }));
    run(backend, inPlace, { inputs: { x }, outputs: {}, sizes });
    expect([...(await backend.read(x, "f32", 4))]).toEqual([1, 1, 1, 1]);
  });

  it("refuses a lookup outside its table", () => {
    const far = pointwise("far", {}, {}, () => ({
      y: output("f32", new Table(new Float32Array(2)).at(u32(2))),
    }));
    expect(() => run(backend, far, { inputs: {}, outputs: { y: x }, sizes })).toThrow(RangeError);
  });

  it("refuses an output whose storage does not suit its value", () => {
    const mixed = pointwise("mixed", {}, {}, () => ({ y: output("u8", f32(1)) }));
    expect(() => backend.compile(mixed)).toThrow('output "y" stores f32 as u8');
  });
});
