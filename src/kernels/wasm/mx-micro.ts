/** Micro-kernels of integer blocks: a tile of C from panels of small integers and their scales. */
import type { Callee, Code, Local, Module } from "./assembler.ts";

/**
 * How four-byte words of a panel are multiplied and summed:
 *
 * - `dot`   bytes, `i32x4.relaxed_dot_i8x16_i7x16_add_s`: one instruction where the processor has VNNI or
 *   sdot
 * - `pairs` bytes, two relaxed products to 16 bits, added, then widened: for processors that lack those
 * - `sums`  bytes, 16-bit sums over the whole block, widened once: for the smallest elements
 * - `plain` 16-bit integers, `i32x4.dot_i16x8_s`: no relaxed SIMD, or elements that do not fit seven bits
 */
export type MxMethod = "dot" | "pairs" | "sums" | "plain";

/** A micro-kernel of integer blocks. */
export interface MxVariant {
  readonly name: string;
  readonly method: MxMethod;
  /** Rows and columns of the tile of C. */
  readonly rows: number;
  readonly columns: number;
}

const variant = (method: MxMethod, rows: number, columns: number): MxVariant => ({
  name: `${method} ${rows}x${columns}`,
  method,
  rows,
  columns,
});

/** Blocks of 8 columns for 128-bit registers, of 16 for 256-bit ones, as many rows as registers allow. */
export const MX_VARIANTS: readonly MxVariant[] = [
  variant("dot", 6, 16),
  variant("dot", 4, 16),
  variant("dot", 6, 8),
  variant("dot", 4, 8),
  variant("sums", 4, 16),
  variant("sums", 5, 8),
  variant("pairs", 4, 16),
  variant("pairs", 4, 8),
  variant("plain", 5, 16),
  variant("plain", 5, 8),
];

/** Bytes of an element in a panel. */
export const elementBytes = (method: MxMethod): 1 | 2 => (method === "plain" ? 2 : 1);

/**
 * Bytes of a strip's record of one block:
 *
 *   integers [word][place]: a word of 4 bytes holds 4 or 2 adjacent k; then f32 scales [place]; of A then
 *   also i32 corrections [place], which are where sums start.
 */
export const recordBytes = (width: number, block: number, method: MxMethod, corrected: boolean): number =>
  width * (block * elementBytes(method) + (corrected ? 8 : 4));

/**
 * Defines `micro(blocks, a, b, c, cRow, accumulate)`:
 *
 *   C = 0 unless accumulate;  C += (d · sA) · sB for each block,  d = the integer sum of the block
 *
 * C is in memory (the first-level cache, rather) between blocks, the registers hold integer sums. Every
 * operation on float32 rounds: a fused one would differ in its last bit where products are subnormal.
 */
export function defineMxMicro(module: Module, of: MxVariant, block: number, name: string | null): Callee {
  return module.function(["i32", "i32", "i32", "i32", "i32", "i32"], [], name, (code, ...parameters) => {
    const [blocks, , , c, cRow, accumulate] = parameters;
    const at = code.local("i32");
    const writer = new MicroWriter(code, of, block, parameters[1], parameters[2]);
    code.get(accumulate).op("i32.eqz");
    code.if(() => {
      const zero = code.local("v128");
      code.get(c).set(at);
      for (let i = 0; i < of.rows; i++) {
        for (let j = 0; j < of.columns; j += 4)
          code
            .get(at)
            .get(zero)
            .memory("v128.store", j * 4);
        code.get(at).get(cRow).op("i32.add").set(at);
      }
    });
    code.while(
      () => code.get(blocks),
      () => {
        writer.block(c, cRow);
        code.get(blocks).i32(1).op("i32.sub").set(blocks);
      },
    );
  });
}

const indices = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Writes one block's code; its fields are local variables. */
class MicroWriter {
  private readonly code: Code;
  private readonly of: MxVariant;
  private readonly steps: number;
  private readonly a: Local;
  private readonly b: Local;
  private readonly sums: readonly (readonly Local[])[];
  private readonly right: readonly Local[];
  private readonly left: Local;
  private readonly ones: Local;
  private readonly step: Local;
  private readonly at: Local;

  constructor(code: Code, of: MxVariant, block: number, a: Local, b: Local) {
    const vectors = (count: number) => indices(count).map(() => code.local("v128"));
    this.code = code;
    this.of = of;
    this.a = a;
    this.b = b;
    this.steps = (block * elementBytes(of.method)) / 4;
    this.sums = indices(of.rows).map(() => vectors(of.columns / 4));
    this.right = vectors(of.columns / 4);
    this.left = code.local("v128");
    this.ones = code.local("v128");
    this.step = code.local("i32");
    this.at = code.local("i32");
  }

  block(c: Local, cRow: Local): void {
    const { code, of, step } = this;
    const turns = of.method === "pairs" ? this.steps / 2 : this.steps;
    this.start();
    if (of.method === "pairs") code.i32(1).op("i16x8.splat").set(this.ones);
    code.i32(turns).set(step);
    code.loop(() => {
      if (of.method === "pairs") this.pairs();
      else this.words();
      code.get(step).i32(1).op("i32.sub").tee(step).brIf(0);
    });
    if (of.method === "sums") this.widen();
    this.scale(c, cRow);
  }

  /** The place of A's scales and corrections, from the block's start. */
  private get tail(): number {
    return this.steps * 4 * this.of.rows;
  }

  private start(): void {
    const { code, of, a } = this;
    this.sums.forEach((row, i) => {
      row.forEach((sum) => {
        if (of.method === "plain") code.v128([0, 0, 0, 0]);
        else code.get(a).memory("v128.load32_splat", this.tail + 4 * (of.rows + i));
        code.set(sum);
      });
    });
  }

  private words(): void {
    const { code, left, right } = this;
    right.forEach((to, j) => this.load(this.b, j * 16, to));
    this.sums.forEach((row, i) => {
      code
        .get(this.a)
        .memory("v128.load32_splat", i * 4)
        .set(left);
      row.forEach((sum, j) => this.multiply(left, right[j], sum));
    });
    this.advance(1);
  }

  private multiply(left: Local, right: Local, sum: Local): void {
    const { code } = this;
    switch (this.of.method) {
      case "dot":
        code.get(left).get(right).get(sum).op("i32x4.relaxed_dot_i8x16_i7x16_add_s").set(sum);
        return;
      case "sums":
        code.get(sum).get(left).get(right).op("i16x8.relaxed_dot_i8x16_i7x16_s").op("i16x8.add").set(sum);
        return;
      default:
        code.get(sum).get(left).get(right).op("i32x4.dot_i16x8_s").op("i32x4.add").set(sum);
    }
  }

  /** Two words of each row at a time: their 16-bit products are added before they are widened. */
  private pairs(): void {
    const { code, a, b, left, right, of } = this;
    const second = right.map(() => code.local("v128"));
    const next = code.local("v128");
    right.forEach((to, j) => this.load(b, j * 16, to));
    second.forEach((to, j) => this.load(b, of.columns * 4 + j * 16, to));
    this.sums.forEach((row, i) => {
      code
        .get(a)
        .memory("v128.load32_splat", i * 4)
        .set(left);
      code
        .get(a)
        .memory("v128.load32_splat", of.rows * 4 + i * 4)
        .set(next);
      row.forEach((sum, j) => {
        code.get(sum).get(left).get(right[j]).op("i16x8.relaxed_dot_i8x16_i7x16_s");
        code.get(next).get(second[j]).op("i16x8.relaxed_dot_i8x16_i7x16_s").op("i16x8.add");
        code.get(this.ones).op("i32x4.dot_i16x8_s").op("i32x4.add").set(sum);
      });
    });
    this.advance(2);
  }

  private load(from: Local, offset: number, to: Local): void {
    this.code.get(from).memory("v128.load", offset).set(to);
  }

  private advance(words: number): void {
    const { code, a, b, of } = this;
    code.get(a).i32(of.rows * 4 * words).op("i32.add").set(a);
    code.get(b).i32(of.columns * 4 * words).op("i32.add").set(b);
  } // prettier-ignore

  private widen(): void {
    const { code } = this;
    code.i32(1).op("i16x8.splat").set(this.ones);
    for (const row of this.sums)
      for (const sum of row) code.get(sum).get(this.ones).op("i32x4.dot_i16x8_s").set(sum);
  }

  /**
   * C += (sums · sA) · sB, row by row: all of a row is loaded before it is stored, so that the engine
   * pairs it.
   */
  private scale(c: Local, cRow: Local): void {
    const { code, a, b, at, left, right, of } = this;
    right.forEach((to, j) => this.load(b, j * 16, to));
    code.get(c).set(at);
    this.sums.forEach((row, i) => {
      code.get(a).memory("v128.load32_splat", i * 4).set(left);
      row.forEach((sum, j) => {
        code.get(at).memory("v128.load", j * 16);
        code.get(sum).op("f32x4.convert_i32x4_s").get(left).op("f32x4.mul").get(right[j]).op("f32x4.mul");
        code.op("f32x4.add").set(sum);
      });
      row.forEach((sum, j) => code.get(at).get(sum).memory("v128.store", j * 16));
      code.get(at).get(cRow).op("i32.add").set(at);
    });
    const corrected = of.method === "plain" ? 4 : 8;
    code.get(a).i32(of.rows * corrected).op("i32.add").set(a);
    code.get(b).i32(of.columns * 4).op("i32.add").set(b);
  } // prettier-ignore
}
