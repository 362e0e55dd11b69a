/** Pointwise kernels: storages, accesses, index axes, tables, sizes that no vector divides. */
import type { MatrixSizes } from "../../../src/kernels/backend.ts";
import { pointwise, type PointwiseKernel } from "../../../src/kernels/pointwise.ts";
import { index, loadedType, lookup, Table, type StorageType } from "../../../src/kernels/program.ts";
import {
  element,
  output,
  perBlock,
  perColumn,
  perRow,
  scalar,
  table,
} from "../../../src/kernels/signature.ts";
import { close, exact, ulps, type Case, type Tolerance } from "./case.ts";
import { AWKWARD_FLOATS, AWKWARD_INTEGERS, held, integers, normals } from "./seeded.ts";

const STORAGES: readonly StorageType[] = ["f32", "bf16", "f16", "u8", "i8", "u16", "i32", "u32"];

/**
 * One element, tails of every length, more rows than columns, several outer blocks, enough for two threads.
 */
export const SIZES: readonly MatrixSizes[] = [
  { rows: 1, columns: 1 }, { rows: 5, columns: 1 }, { rows: 1, columns: 3 }, { rows: 2, columns: 7 },
  { rows: 3, columns: 17 },
  { rows: 4, columns: 4 }, { rows: 5, columns: 65 }, { rows: 2, columns: 129 }, { outer: 3, rows: 2,
  columns: 5 },
  { outer: 2, rows: 3, columns: 34 }, { rows: 0, columns: 8 }, { rows: 7, columns: 0 }, { rows: 61,
  columns: 1031 },
]; // prettier-ignore

/** Sizes as a part of a case's name. */
export const sizesText = ({ outer = 1, rows, columns }: MatrixSizes): string => `${outer}×${rows}×${columns}`;
/** Elements of a matrix, outer blocks counted. */
export const elementsOf = ({ outer = 1, rows, columns }: MatrixSizes): number => outer * rows * columns;

/** Data that suits a storage: its ends, what rounds at them, and ordinary numbers. */
export function dataOf(storage: StorageType, length: number, seed: number): ReturnType<typeof held> {
  const float = storage === "f32" || storage === "bf16" || storage === "f16";
  const awkward = float ? AWKWARD_FLOATS : AWKWARD_INTEGERS;
  const rest = float ? normals(length, seed, 10) : integers(length, seed, -(2 ** 31), 2 ** 31 - 1);
  const list = length < 2 * awkward.length ? rest : [...awkward, ...rest];
  return held(storage, list.slice(0, length));
}

/** Loads each storage; a float goes out as it came, so all is exact. */
function loads(storage: StorageType): Case[] {
  const kernel = pointwise(`load ${storage}`, { x: element(storage) }, {}, ({ x }) => ({
    same: output(storage, x),
    wide: output(loadedType[storage], x),
  }));
  return SIZES.map((sizes, i) => {
    const length = elementsOf(sizes);
    return {
      name: `load ${storage} ${sizesText(sizes)}`,
      kernel,
      sizes,
      shift: i % 4,
      inputs: { x: { storage, data: dataOf(storage, length, i) } },
      outputs: {
        same: { storage, length },
        wide: { storage: kernel.outputs.wide.storage, length },
      },
      tolerance: exact,
    };
  });
}

/** Stores f32 or u32 into each storage: rounding to nearest even, or wrapping. */
function stores(storage: StorageType): Case {
  const float = storage === "f32" || storage === "bf16" || storage === "f16";
  const from = float ? "f32" : storage === "i8" || storage === "i32" ? "i32" : "u32";
  const kernel = pointwise(`store ${storage}`, { x: element(from) }, {}, ({ x }) => ({
    y: output(storage, x),
  }));
  const data = float ? manyExponents(3001) : dataOf(from, 3001, 11);
  return {
    name: `store ${storage}`,
    kernel,
    sizes: { rows: 1, columns: 3001 },
    shift: 1,
    inputs: { x: { storage: from, data } },
    outputs: { y: { storage, length: 3001 } },
    tolerance: exact,
  };
}

/** Floats of all exponents, a third of them halfway between two 16-bit floats. */
function manyExponents(length: number): Float32Array {
  const bits = integers(length, 12, 0, 2 ** 32 - 1).map((word, i) =>
    i % 3 === 0
      ? ((word & 0xffff0000) | 0x8000) >>> 0
      : i % 3 === 1
        ? ((word & 0xffffe000) | 0x1000) >>> 0
        : word,
  );
  return new Float32Array(Uint32Array.from(bits).buffer).map((x, i) =>
    i < AWKWARD_FLOATS.length ? AWKWARD_FLOATS[i] : x,
  );
}

/** Every access at once, of a storage, and the three index axes. */
function accesses(storage: StorageType): Case[] {
  const kernel = pointwise(
    `access ${storage}`,
    {
      e: element(storage), r: perRow(storage), c: perColumn(storage), b: perBlock(storage),
      s: scalar(storage),
      t: table(storage),
    }, // prettier-ignore
    { k: "f32", n: "i32", m: "u32" },
    ({ e, r, c, b, s, k, n, m }) => {
      const inTable = lookup("t", storage, index("row").add(index("column")).and(7));
      return {
        accesses: output(loadedType[storage], e.add(r).add(c).add(b).add(s).add(inTable)),
        places: output("u32", index().mul(1000003).add(index("row").mul(1009)).add(index("column")).add(m)),
        uniforms: output("f32", n.toF32().mul(k)),
      };
    },
  );
  const small = (length: number, seed: number) => held(storage, integers(length, seed, 0, 15));
  return SIZES.map((sizes, i) => {
    const rows = sizes.rows * (sizes.outer ?? 1);
    const length = elementsOf(sizes);
    return {
      name: `access ${storage} ${sizesText(sizes)}`,
      kernel,
      sizes,
      shift: (i + 1) % 3,
      uniforms: { k: 0.1, n: -12345, m: 4294967290 },
      inputs: {
        e: { storage, data: small(length, 1) },
        r: { storage, data: small(rows, 2) },
        c: { storage, data: small(sizes.columns, 3) },
        b: { storage, data: small(sizes.columns * (sizes.outer ?? 1), 6) },
        s: { storage, data: small(1, 4) },
        t: { storage, data: small(8, 5) },
      },
      outputs: Object.fromEntries(
        Object.entries(kernel.outputs).map(([name, out]) => [name, { storage: out.storage, length }]),
      ),
      tolerance: exact,
    };
  });
}

/** A case over all sizes with f32 inputs x and y in place of which the outputs are written. */
function inPlace(kernel: PointwiseKernel, tolerance: Tolerance): Case[] {
  return SIZES.map((sizes) => ({
    name: `${kernel.name} ${sizesText(sizes)}`,
    kernel,
    sizes,
    inputs: Object.fromEntries(
      Object.entries(kernel.inputs).map(([name, { storage }], i) => [
        name,
        {
          storage,
          data: held(
            storage,
            storage === "u8" ? integers(elementsOf(sizes), i, 0, 255) : normals(elementsOf(sizes), i),
          ),
        },
      ]),
    ),
    outputs: {},
    inPlace: Object.fromEntries(Object.keys(kernel.outputs).map((name) => [name, name])),
    tolerance,
  }));
}

const swap = pointwise("swap in place", { x: element("f32"), y: element("f32") }, {}, ({ x, y }) => ({
  x: output("f32", y),
  y: output("f32", x.add(y)),
}));

const LADDER = new Table(
  Float32Array.from({ length: 256 }, (_, i) => (i & 128 ? -1 : 1) * 2 ** (-(i & 127) / 8)),
);
const MIX = new Table(Uint32Array.from({ length: 16 }, (_, i) => Math.imul(i + 1, 0x9e3779b9) >>> 0));

/** A code-storing step: decode by a constant table, move, and encode again. */
const codes = pointwise(
  "codes by constant tables",
  { w: element("u8"), g: element("f32") },
  {},
  ({ w, g }) => {
    const value = LADDER.at(w);
    const step = g.mul(value).gt(0).toI32().shl(1).sub(1);
    const rung = w.and(127).toI32().add(step).clamp(0, 127).toU32();
    return { w: output("u8", w.and(128).or(rung)), g: output("f32", value) };
  },
);

/** A hash of the element's number: integers only, as random bits are made. */
const hash = pointwise("hash", { x: element("u32") }, {}, ({ x }) => {
  const first = index().add(x).mul(0x7feb352d);
  const second = first.xor(first.shr(15)).mul(0x846ca68b);
  const bits = second.xor(second.shr(16)).xor(MIX.at(second.shr(28)));
  return { x: output("u32", bits) };
});

const gelu = pointwise("gelu", { x: element("f32") }, {}, ({ x }) => ({
  x: output("f32", x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))),
}));

const rms = pointwise("divide by root", { x: element("f32"), y: element("f32") }, {}, ({ x, y }) => ({
  x: output("f32", x.div(y.mul(y).add(1e-8).sqrt())),
}));

/** All storages and accesses over all sizes, and kernels as optimisers and activations use them. */
export const pointwiseCases: readonly Case[] = [
  ...STORAGES.flatMap(loads),
  ...STORAGES.map(stores),
  ...STORAGES.flatMap(accesses),
  // x + y rounds once, as does the judge's value when it is compared.
  ...inPlace(swap, exact),
  ...inPlace(codes, exact),
  ...inPlace(hash, exact),
  // Where 1 + erf cancels, erf's 2 ulp of 1 stay as an absolute error, halved and times |x| < 5.
  ...inPlace(gelu, close(2 ** -22 * 2.5, 2 ** -21)),
  // Half an ulp each of the product and the sum, halved by the root, its own half and the quotient's:
  // doubled, as an ulp may be twice as large a part of the result as of what it came from.
  ...inPlace(rms, ulps(3)),
];
