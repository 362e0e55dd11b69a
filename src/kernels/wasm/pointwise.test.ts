import { describe, expect, it } from "vitest";
import { expectAgreement, sequence, wholeNumbers } from "../../../test/wasm/agree.ts";
import { plainTarget } from "../../../test/wasm/lowered-run.ts";
import { pointwise } from "../pointwise.ts";
import {
  f32,
  i32,
  index,
  lookup,
  ProgramError,
  select,
  Table,
  u32,
  type BinaryOp,
  type StorageType,
  type UnaryOp,
  Value,
} from "../program.ts";
import { element, output, perColumn, perRow, scalar, table } from "../signature.ts";
import { lowerPointwise } from "./pointwise.ts";

const EDGES = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  0.1,
  1e-45,
  1e-39,
  65504,
  65519.99,
  65520,
  5.96e-8,
  2.98e-8,
  2.99e-8,
  6.1e-5,
  6.09e-5,
  3e9,
  -3e9,
  5e9,
  1e38,
  3.4e38,
  Infinity,
  -Infinity,
  NaN,
  2147483648,
  -2147483648,
  16777217,
];
const EDGE_INTEGERS = [0, 1, -1, 7, -8, 255, 256, 65535, 65536, 2147483647, -2147483648, -129, 128, 1234567];

/** Every pair of two lists. */
const pairs = (list: readonly number[]): [number[], number[]] => [
  list.flatMap((a) => list.map(() => a)),
  list.flatMap(() => list),
];

const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array };
const store = (value: Value) =>
  value.type === "bool"
    ? output("u32", select(value, u32(1), u32(0)))
    : output(value.type as "f32" | "i32" | "u32", value);

async function expectElementwise(
  type: "f32" | "i32" | "u32",
  data: readonly [number[], number[]],
  name: string,
  body: (a: Value, b: Value) => Value,
): Promise<void> {
  const kernel = pointwise(name, { a: element(type), b: element(type) }, {}, ({ a, b }) => ({
    y: store(body(a, b)),
  }));
  const { storage } = kernel.outputs.y;
  const length = data[0].length;
  for (const target of [plainTarget, { ...plainTarget, revectorize: true }])
    await expectAgreement(lowerPointwise, kernel, {
      inputs: { a: new arrays[type](data[0]), b: new arrays[type](data[1]) },
      outputs: { y: [storage, length] },
      sizes: { rows: 1, columns: length },
      target,
    });
}

const binary = (op: BinaryOp) => (a: Value, b: Value) =>
  (a as unknown as Record<BinaryOp, (b: Value) => Value>)[op](b);
const unary = (op: UnaryOp, from: Value["type"], to: Value["type"]) => (a: Value) =>
  new Value(to, { kind: "unary", op, x: a.type === from ? a : a.ne(0) });

describe("operations", () => {
  const float: BinaryOp[] = ["add", "sub", "mul", "div", "min", "max", "eq", "ne", "lt", "le", "gt", "ge"];
  it.each(float)("%s of f32", async (op) => {
    await expectElementwise("f32", pairs(EDGES), op, binary(op));
  });
  const whole: BinaryOp[] = [
    "add", "sub", "mul", "min", "max", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge",
  ]; // prettier-ignore
  it.each(whole)("%s of i32 and u32", async (op) => {
    await expectElementwise("i32", pairs(EDGE_INTEGERS), op, binary(op));
    await expectElementwise("u32", pairs(EDGE_INTEGERS), op, binary(op));
  });
  const logical: BinaryOp[] = ["and", "or", "xor", "eq", "ne"];
  it.each(logical)("%s of bool", async (op) => {
    await expectElementwise("i32", pairs([0, 1]), op, (a, b) => binary(op)(a.ne(0), b.ne(0)));
  });
  it.each([
    ["neg", "f32", "f32"], ["abs", "f32", "f32"], ["sqrt", "f32", "f32"], ["floor", "f32", "f32"],
    ["ceil", "f32", "f32"], ["trunc", "f32", "f32"], ["nearest", "f32", "f32"], ["reciprocal", "f32", "f32"],
    ["toI32", "f32", "i32"], ["toU32", "f32", "u32"], ["asI32", "f32", "i32"], ["asU32", "f32", "u32"],
    ["neg", "i32", "i32"], ["abs", "i32", "i32"], ["not", "i32", "i32"], ["toF32", "i32", "f32"],
    ["toU32", "i32", "u32"], ["asU32", "i32", "u32"], ["asF32", "i32", "f32"], ["toI32", "u32", "i32"],
    ["neg", "u32", "u32"], ["not", "u32", "u32"], ["toF32", "u32", "f32"], ["asF32", "u32", "f32"],
    ["toF32", "bool", "f32"], ["toI32", "bool", "i32"], ["toU32", "bool", "u32"], ["not", "bool", "bool"],
  ] as const)("%s of %s", async (op, from, to) => {
    const list = from === "f32" ? EDGES : EDGE_INTEGERS;
    const type = from === "bool" ? "i32" : from;
    await expectElementwise(type, [list, list], op, unary(op, from, to));
  }); // prettier-ignore
  it("shifts, fma, select and clamp", async () => {
    for (const by of [0, 1, 7, 31]) {
      await expectElementwise("i32", pairs(EDGE_INTEGERS), "shift", (a, b) => a.shl(by).xor(b.shr(by)));
      await expectElementwise("u32", pairs(EDGE_INTEGERS), "shift", (a, b) => a.shl(by).xor(b.shr(by)));
    }
    await expectElementwise("f32", pairs(EDGES), "fma", (a, b) => a.fma(b, 0.3));
    await expectElementwise("f32", pairs(EDGES), "select", (a, b) => select(a.lt(b), a, b.clamp(-1, 1)));
  });
  it("rounds down to an integer in one", async () => {
    const list = [...EDGES, 8388607.5, -8388607.5, 8388608.5, -0.7, -0.3, 0.7, -2147483904, 4294967296];
    await expectElementwise("f32", [list, list], "floor", (a, b) =>
      a.floor().toI32().add(b.nearest().toI32()),
    );
    await expectElementwise("f32", [list, list], "roundings", (a) => {
      const round = (op: UnaryOp) => new Value("f32", { kind: "unary", op, x: a }).asU32();
      return round("floor").xor(round("ceil").shl(1)).xor(round("trunc").shl(2)).xor(round("nearest").shl(3));
    });
  });
  it("selects by every comparison, and between a value and zero", async () => {
    const tests: BinaryOp[] = ["eq", "ne", "lt", "le", "gt", "ge"];
    for (const op of tests) {
      await expectElementwise("i32", pairs(EDGE_INTEGERS), op, (a, b) =>
        select(binary(op)(a, b), a, b.add(1)),
      );
      await expectElementwise("u32", pairs(EDGE_INTEGERS), op, (a, b) => select(binary(op)(a, b), a, 0));
      await expectElementwise("u32", pairs(EDGE_INTEGERS), op, (a, b) =>
        select(binary(op)(a.shr(1), b.and(255)), 0, b).add(select(binary(op)(a, b).not(), a, u32(7))),
      );
      await expectElementwise("f32", pairs(EDGES), op, (a, b) => select(binary(op)(a, b), -0, a));
    }
  });
  it("converts unsigned numbers of known size as signed ones", async () => {
    await expectElementwise("u32", pairs(EDGE_INTEGERS), "bounded", (a, b) =>
      a.shr(8).toF32().add(b.and(0xffff).add(1).toF32()).mul(b.xor(a).shr(1).toF32()),
    );
  });
});

describe("lengths and threads", () => {
  const kernel = pointwise("axpy", { x: element("f32"), y: element("f32") }, { a: "f32" }, ({ x, y, a }) => ({
    y: output("f32", x.mul(a).add(y)),
  }));
  it("handles every tail, in place, on one thread and on two", async () => {
    for (let length = 0; length <= 40; length++)
      for (const threads of [1, 2, 3])
        await expectAgreement(lowerPointwise, kernel, {
          inputs: { x: wholeNumbers(length), y: wholeNumbers(length, 2) },
          outputs: { y: ["f32", length] },
          uniforms: { a: 0.75 },
          sizes: { rows: 1, columns: length },
          threads,
        });
  });
  it("goes on over several chunks", async () => {
    for (const length of [4096, 8193, 12345])
      await expectAgreement(lowerPointwise, kernel, {
        inputs: { x: wholeNumbers(length), y: wholeNumbers(length, 2) },
        outputs: { y: ["f32", length] },
        uniforms: { a: 0.75 },
        sizes: { rows: 1, columns: length },
        threads: 2,
      });
  });
});

describe("long kernels", () => {
  const mixed = (x: Value, rounds: number): Value =>
    rounds === 0 ? x : mixed(x.xor(x.shr(7)).mul(u32(2654435761)).add(rounds), rounds - 1);
  const kernel = pointwise("mix", { x: element("u8"), y: element("u32"), r: perRow("u16") }, {}, ({ x, y, r }) => ({
    y: output("u32", mixed(x.add(y).xor(r), 30)),
  })); // prettier-ignore
  it("fetch their inputs ahead without reading anything wrong", async () => {
    for (const [rows, columns] of [[1, 0], [1, 1], [1, 5000], [3, 4099], [5000, 1]])
      await expectAgreement(lowerPointwise, kernel, {
        inputs: {
          x: Uint8Array.from({ length: rows * columns }, (_, i) => i * 7),
          y: Uint32Array.from({ length: rows * columns }, (_, i) => i * 77_777),
          r: Uint16Array.from({ length: rows }, (_, i) => i * 333),
        },
        outputs: { y: ["u32", rows * columns] },
        sizes: { rows, columns },
        threads: 2,
      });
  }); // prettier-ignore
});

describe("storages", () => {
  const storages: StorageType[] = ["f32", "bf16", "f16", "u8", "i8", "u16", "i32", "u32"];
  const isFloat = (storage: StorageType) => storage === "f32" || storage === "bf16" || storage === "f16";
  it.each(storages)("%s is read, converted to every other and stored", async (from) => {
    const x = everyPattern(from);
    for (const to of storages) {
      const kernel = pointwise(`${from} to ${to}`, { x: element(from) }, {}, ({ x: value }) => ({
        y: output(to, isFloat(to) ? value.toF32() : value.type === "f32" ? value.toI32() : value),
      }));
      for (const length of [x.length, 1, 2, 3, 5, 13, 16, 27])
        await expectAgreement(lowerPointwise, kernel, {
          inputs: { x: x.slice(0, length) },
          outputs: { y: [to, length] },
          sizes: { rows: 1, columns: length },
        });
    }
  });
  it("refuses a float in an integer storage", () => {
    const kernel = pointwise("bad", { x: element("f32") }, {}, ({ x }) => ({ y: output("u8", x) }));
    const target = { relaxedSimd: false, revectorize: false, shared: true, maximumPages: 1 };
    expect(() => lowerPointwise(kernel, target)).toThrow(ProgramError);
  });
});

/** All patterns of a narrow storage, edge cases and odd ones of a wide one. */
function everyPattern(storage: StorageType) {
  const next = sequence(7);
  const many = (count: number) => Array.from({ length: count }, (_, i) => i);
  if (storage === "u8") return new Uint8Array(many(256));
  if (storage === "i8") return new Int8Array(many(256));
  if (storage === "i32" || storage === "u32") return new arrays[storage](EDGE_INTEGERS.concat(EDGE_INTEGERS));
  if (storage !== "f32") return new Uint16Array(many(65536).filter((i) => i < 40 || i % 7 === 0));
  const odd = Array.from({ length: 4000 }, () => (next() - 0.5) * 2 ** Math.floor(next() * 60 - 40));
  return new Float32Array([...EDGES, ...odd]);
}

describe("access", () => {
  const kernel = pointwise(
    "everything",
    {
      x: element("f32"), r: perRow("f32"), rb: perRow("bf16"), r8: perRow("i8"), c: perColumn("f32"),
      ch: perColumn("f16"), c8: perColumn("u8"), s: scalar("f32"), s8: scalar("u8"), t: table("f32"), t8: table("i8"),
    },
    { a: "f32", i: "i32", u: "u32" },
    ({ x, r, rb, r8, c, ch, c8, s, s8, a, i, u }) => {
      const at = index("column").and(7);
      return {
        y: output("f32", x.mul(s).add(r.mul(c)).add(rb).add(ch).add(a)),
        n: output("u32", index().mul(u32(1000)).add(index("row").mul(u32(10))).add(index("column")).add(u)),
        z: output("i32", r8.add(c8.asI32()).add(s8.asI32()).mul(i)),
        l: output("f32", lookup("t", "f32", at).add(lookup("t8", "i8", index("row").and(3)).toF32())),
        h: output("u8", lookup("t8", "i8", at.xor(1)).add(lookup("t8", "i8", at)).asU32()),
      };
    },
  ); // prettier-ignore
  it.each([
    [1, 1, 1], [1, 5, 1], [2, 5, 1], [3, 4, 3], [2, 3, 17], [1, 7, 64], [2, 2, 45], [1, 1, 40], [1, 2, 5000],
  ])("reads rows, columns, scalars and tables at outer %i, rows %i, columns %i", async (outer, rows, columns) => {
    const [all, count] = [outer * rows * columns, outer * rows];
    for (const threads of [1, 2])
      await expectAgreement(lowerPointwise, kernel, {
        inputs: {
          x: wholeNumbers(all), r: wholeNumbers(count, 3), c: wholeNumbers(columns, 4), s: wholeNumbers(1, 5),
          rb: Uint16Array.from({ length: count }, (_, i) => 0x3f80 + 7 * i), r8: Int8Array.from({ length: count }, (_, i) => 90 * i),
          ch: Uint16Array.from({ length: columns }, (_, i) => (0x3c00 + 31 * i) & 0x7bff), c8: Uint8Array.from({ length: columns }, (_, i) => 77 * i),
          s8: new Uint8Array([201]), t: wholeNumbers(8, 6), t8: new Int8Array([1, -2, 3, -4, 100, -100, 127, -128]),
        },
        outputs: { y: ["f32", all], n: ["u32", all], z: ["i32", all], l: ["f32", all], h: ["u8", all] },
        uniforms: { a: 0.5, i: -3, u: 4_000_000_000 },
        sizes: { outer, rows, columns },
        threads,
      });
  }); // prettier-ignore
});

describe("look-ups", () => {
  it("reads no entry for elements past the end", async () => {
    const squares = new Table(Float32Array.from({ length: 256 }, (_, i) => i * i));
    const kernel = pointwise("decode", { x: element("f32") }, {}, ({ x }) => ({
      y: output("f32", squares.at(x.toI32())),
      w: output("u32", new Table(new Uint32Array([9, 8, 7])).at(x.toU32().and(1))),
    }));
    for (let length = 1; length < 20; length++)
      await expectAgreement(lowerPointwise, kernel, {
        inputs: { x: Float32Array.from({ length }, (_, i) => (i * 37) % 256) },
        outputs: { y: ["f32", length], w: ["u32", length] },
        sizes: { rows: 1, columns: length },
      });
  });
});

describe("constants", () => {
  it("keeps -0, NaN and large integers apart", async () => {
    await expectElementwise("f32", [EDGES, EDGES], "signs", (a) =>
      f32(1)
        .div(f32(-0))
        .add(a)
        .min(f32(1).div(f32(0)))
        .add(select(a.ne(a), f32(NaN), a)),
    );
    await expectElementwise("i32", pairs(EDGE_INTEGERS), "close", (a) =>
      a.xor(i32(16777216)).sub(i32(16777217)),
    );
  });
});
