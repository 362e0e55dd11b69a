/** Register-blocked micro-kernels: a tile of C from strips of A and B. */
import type { Callee, Code, Local, Module } from "./assembler.ts";

/** A micro-kernel: its tile of C, and how it multiplies. */
export interface Variant {
  readonly name: string;
  /** Rows and columns of the tile of C that lives in registers. */
  readonly rows: number;
  readonly columns: number;
  /** Fused multiply-add (relaxed SIMD). All fused variants give the same bits. */
  readonly fused: boolean;
  /** Where it wins, for people. */
  readonly where: string;
}

/**
 * The blocks that won on one engine or another. rows · columns/4 accumulators plus columns/4 of B plus one of
 * A fill the 15 registers that V8 has: 128-bit ones, or 256-bit ones for 6×16, whose halves the engine fuses.
 */
export const VARIANTS: readonly Variant[] = [
  { name: "6x16 fma", rows: 6, columns: 16, fused: true, where: "256-bit registers (Node ≥ 24)" },
  { name: "6x8 fma", rows: 6, columns: 8, fused: true, where: "128-bit registers (Node ≥ 22, browsers)" },
  { name: "3x12 fma", rows: 3, columns: 12, fused: true, where: "128-bit registers (Node 20)" },
  { name: "5x8", rows: 5, columns: 8, fused: false, where: "engines without relaxed SIMD" },
];

/** Parameters of a micro-kernel. */
export const MICRO_PARAMETERS = 9;

/**
 *   C[rows × columns] = or += Σ over `depth` values of k of A[:, k] · B[k, :]
 *
 * `micro(depth, a, aRow, aDeep, b, bDeep, c, cRow, accumulate)`, strides in bytes; rows of B and C are
 * contiguous. With `packed`, A and B are panels: their strides are known and the parameters ignored, which is
 * 3 to 6 % faster.
 *
 * One k a turn: two spill. Strided rows of A are reached from two bases, a and a + 3·aRow, by one or two
 * strides: six pointers would spill as well. B, then per row of A a splat and its products, in this order:
 * Node 20 reorders otherwise. C's rows are loaded, added and stored row by row, no store between the loads of
 * a row: only so the engine pairs them.
 */
export function defineMicro(module: Module, variant: Variant, packed: boolean, exportName: string | null) {
  const types = Array.from({ length: MICRO_PARAMETERS }, () => "i32" as const);
  return module.function(types, [], exportName, (code, ...parameters) => {
    const [depth, a, aRow, aDeep, b, bDeep, c, cRow, accumulate] = parameters;
    const { rows, columns, fused } = variant;
    const vectors = () => Array.from({ length: columns / 4 }, () => code.local("v128"));
    const sums = Array.from({ length: rows }, vectors);
    const bs = vectors();
    const left = packed ? packedRows(code, a, rows) : stridedRows(code, a, aRow, aDeep, rows);
    const step = () => {
      bs.forEach((to, j) =>
        code
          .get(b)
          .memory("v128.load", j * 16)
          .set(to),
      );
      sums.forEach((of, i) => rowProducts(code, () => left.splat(i), of, bs, fused));
      left.next();
      code.get(b);
      if (packed) code.i32(columns * 4);
      else code.get(bDeep);
      code.op("i32.add").set(b);
      code.get(depth).i32(1).op("i32.sub").tee(depth).brIf(0);
    };
    code.get(depth).if(() => code.loop(step));
    code.get(accumulate).if(() => addTile(code, sums, c, cRow));
    for (const of of sums) {
      of.forEach((sum, j) =>
        code
          .get(c)
          .get(sum)
          .memory("v128.store", j * 16),
      );
      code.get(c).get(cRow).op("i32.add").set(c);
    }
  });
}

/** Where a micro-kernel finds A: pushes a splat of row i, goes on to the next k. */
interface LeftOperand {
  splat(i: number): void;
  next(): void;
}

const packedRows = (code: Code, a: Local, rows: number): LeftOperand => ({
  splat: (i) => code.get(a).memory("v128.load32_splat", i * 4),
  next: () => code.get(a).i32(rows * 4).op("i32.add").set(a),
}); // prettier-ignore

function stridedRows(code: Code, a: Local, aRow: Local, aDeep: Local, rows: number): LeftOperand {
  const twoRows = code.local("i32");
  const a3 = code.local("i32");
  code.get(aRow).i32(1).op("i32.shl").tee(twoRows).get(aRow).op("i32.add").get(a).op("i32.add").set(a3);
  return {
    splat(i) {
      code.get(i < 3 ? a : a3);
      if (i % 3 > 0) code.get(i % 3 === 1 ? aRow : twoRows).op("i32.add");
      code.memory("v128.load32_splat");
    },
    next() {
      for (const base of rows > 3 ? [a, a3] : [a]) code.get(base).get(aDeep).op("i32.add").set(base);
    },
  };
}

/** sums += A[row i, k] · B[k, :] */
function rowProducts(
  code: Code,
  splat: () => void,
  sums: readonly Local[],
  bs: readonly Local[],
  fused: boolean,
): void {
  const x = code.local("v128");
  splat();
  code.set(x);
  sums.forEach((sum, j) => {
    if (fused) code.get(x).get(bs[j]).get(sum).op("f32x4.relaxed_madd").set(sum);
    else code.get(sum).get(x).get(bs[j]).op("f32x4.mul").op("f32x4.add").set(sum);
  });
}

/** sums += C */
function addTile(code: Code, sums: readonly (readonly Local[])[], c: Local, cRow: Local): void {
  const at = code.local("i32");
  code.get(c).set(at);
  for (const row of sums) {
    row.forEach((sum, j) =>
      code
        .get(at)
        .memory("v128.load", j * 16)
        .get(sum)
        .op("f32x4.add")
        .set(sum),
    );
    code.get(at).get(cRow).op("i32.add").set(at);
  }
}

/**
 * Defines `edge(rows, columns, tile, tileRow, c, cRow, accumulate)`: moves the part of a tile that lies
 * inside C.
 */
export function defineEdge(module: Module, tileRow: number): Callee {
  return module.function(
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    [],
    null,
    (code, rows, columns, tile, c, cRow, accumulate) => {
      const column = code.local("i32");
      const from = code.local("i32");
      const to = code.local("i32");
      const v = code.local("v128");
      const x = code.local("f32");
      const advance = (bytes: number) => {
        code.get(from).i32(bytes).op("i32.add").set(from);
        code.get(to).i32(bytes).op("i32.add").set(to);
      };
      const vectorStep = () => {
        code.get(from).memory("v128.load").set(v);
        code.get(accumulate).if(() => code.get(to).memory("v128.load").get(v).op("f32x4.add").set(v));
        code.get(to).get(v).memory("v128.store");
        advance(16);
        code.get(column).i32(4).op("i32.sub").set(column);
      };
      const scalarStep = () => {
        code.get(from).memory("f32.load").set(x);
        code.get(accumulate).if(() => code.get(to).memory("f32.load").get(x).op("f32.add").set(x));
        code.get(to).get(x).memory("f32.store");
        advance(4);
        code.get(column).i32(1).op("i32.sub").set(column);
      };
      code.loop(() => {
        code.get(tile).set(from).get(c).set(to).get(columns).set(column);
        code.while(() => code.get(column).i32(4).op("i32.ge_s"), vectorStep);
        code.while(() => code.get(column), scalarStep);
        code.get(tile).i32(tileRow).op("i32.add").set(tile);
        code.get(c).get(cRow).op("i32.add").set(c);
        code.get(rows).i32(1).op("i32.sub").tee(rows).brIf(0);
      });
    },
  );
}
