/** What the passes of attention share: which part of the scores a tile shows, and products of its rows. */
import type { AttentionKernel, AttentionMatrix } from "../attention.ts";
import type { Callee, Local, Module } from "./assembler.ts";
import type { AttentionWord, Body } from "./attention-arguments.ts";
import { add, pushMin } from "./gemm-arguments.ts";
import { defineMacro } from "./gemm-macro.ts";
import type { Variant } from "./gemm-micro.ts";
import { definePack, definePackCoded, pushPanelBytes } from "./gemm-pack.ts";

/** Elements from row to row of a tile of scores: an odd number of cache lines, so that a column's lie in many sets. */
export const SCORE_ROW = 272;

/** Functions that both passes call. */
export interface Parts {
  readonly kernel: AttentionKernel;
  readonly variant: Variant;
  readonly macro: Callee;
  /** Packers of left and right operands of products; `coded` ones decode. */
  readonly left: Callee;
  readonly right: Callee;
  readonly codedLeft: Callee | null;
  readonly codedRight: Callee | null;
}

export function defineParts(module: Module, kernel: AttentionKernel, variant: Variant): Parts {
  const { rows, columns } = variant;
  const coded = kernel.operands === "coded";
  return {
    kernel,
    variant,
    macro: defineMacro(module, variant),
    left: definePack(module, rows),
    right: definePack(module, columns),
    codedLeft: coded ? definePackCoded(module, rows) : null,
    codedRight: coded ? definePackCoded(module, columns) : null,
  };
}

/** An operand of a product: functions that push where it starts, and its strides in bytes. */
export interface Left {
  readonly start: () => void;
  readonly row: () => void;
  readonly deep: () => void;
  /** From one strip of rows to the next. */
  readonly strip: () => void;
}

/** The right operand; its columns are adjacent. */
export interface Right {
  readonly start: () => void;
  readonly deep: () => void;
  readonly strip: () => void;
}

/** A product of a tile: rows × columns of `to`, summed over `depth`. */
export interface TileProduct {
  readonly rows: Local;
  readonly columns: Local;
  readonly depth: Local;
  readonly left: Left;
  readonly right: Right;
  readonly to: () => void;
  readonly toRow: () => void;
  /** Pushes whether it adds to what is there. */
  readonly accumulate: () => void;
}

/** Writes tiles of one function. */
export class TileWriter {
  readonly body: Body;
  readonly memory: Local;
  readonly parts: Parts;

  constructor(body: Body, memory: Local, parts: Parts) {
    this.body = body;
    this.memory = memory;
    this.parts = parts;
  }

  /**
   * The rows of a matrix from `first` on as left operand, k along their columns: where they lie if they are whole
   * strips of floats, else packed.
   */
  left(name: AttentionMatrix, first: Local, rows: Local): Left {
    const { body, memory, parts } = this;
    const { code } = body;
    const { rows: tall } = parts.variant;
    const coded = this.isCoded(name);
    const [start, row, deep, strip] = ["left", "left row", "left deep", "left strip"].map((n) => body.local(n));
    const pack = () => {
      body.row(name, first).get(body.value(`${name}Row`)).i32(coded ? 1 : 4);
      code.get(rows).get(body.value("width"));
      body.place(memory, "atLeft").set(start);
      code.i32(4).set(row).i32(tall * 4).set(deep);
      pushPanelBytes(code, tall, body.value("width")).set(strip);
      code.get(start);
      if (coded && parts.codedLeft) this.table(name).call(parts.codedLeft);
      else code.call(parts.left);
    };
    const lie = () => {
      body.row(name, first).set(start).get(body.value(`${name}Row`)).set(row).i32(4).set(deep);
      code.get(row).i32(tall).op("i32.mul").set(strip);
    };
    if (coded) pack();
    else code.get(rows).i32(tall).op("i32.rem_u").if(pack, lie);
    const push = (local: Local) => () => void code.get(local);
    return { start: push(start), row: push(row), deep: push(deep), strip: push(strip) };
  }

  /** The rows of a matrix as right operand, packed: k along their columns if `transposed`, else from row to row. */
  packRight(name: AttentionMatrix, first: Local, rows: Local, transposed: boolean, to: AttentionWord): void {
    const { body, memory, parts } = this;
    const { code } = body;
    const coded = this.isCoded(name);
    body.row(name, first);
    if (transposed) code.get(body.value(`${name}Row`)).i32(coded ? 1 : 4).get(rows).get(body.value("width"));
    else code.i32(coded ? 1 : 4).get(body.value(`${name}Row`)).get(body.value("width")).get(rows);
    body.place(memory, to);
    if (coded && parts.codedRight) this.table(name).call(parts.codedRight);
    else code.call(parts.right);
  }

  /** Packed panels of so many k. */
  panels(at: AttentionWord, depth: Local): Right {
    const { body, memory, parts } = this;
    const { columns: wide } = parts.variant;
    return {
      start: () => void body.place(memory, at),
      deep: () => void body.code.i32(wide * 4),
      strip: () => void pushPanelBytes(body.code, wide, depth),
    };
  }

  /** The rows of a matrix as right operand, k from row to row: where they lie if they are whole strips of floats. */
  right(name: AttentionMatrix, first: Local, rows: Local, to: AttentionWord): Right {
    const { body, parts } = this;
    const { code } = body;
    const { columns: wide } = parts.variant;
    const packed = this.panels(to, rows);
    if (this.isCoded(name)) {
      this.packRight(name, first, rows, false, to);
      return packed;
    }
    const [start, deep, strip] = ["right", "right deep", "right strip"].map((n) => body.local(n));
    code.get(body.value("width")).i32(wide).op("i32.rem_u").if(
      () => {
        this.packRight(name, first, rows, false, to);
        packed.start();
        code.set(start);
        packed.deep();
        code.set(deep);
        packed.strip();
        code.set(strip);
      },
      () => {
        body.row(name, first).set(start).get(body.value(`${name}Row`)).set(deep).i32(wide * 4).set(strip);
      },
    );
    const push = (local: Local) => () => void code.get(local);
    return { start: push(start), deep: push(deep), strip: push(strip) };
  }

  multiply({ rows, columns, depth, left, right, to, toRow, accumulate }: TileProduct): void {
    const { body, memory, parts } = this;
    body.code.get(rows).get(columns).get(depth);
    for (const push of [left.start, left.strip, right.start, right.strip, to, toRow, accumulate]) push();
    body.place(memory, "atTile");
    for (const push of [left.row, left.deep, right.deep]) push();
    body.code.call(parts.macro);
  }

  /** The tile of scores, or of their gradients. */
  scores(word: "atScores" | "atGradients"): Pick<TileProduct, "to" | "toRow"> {
    const { body, memory } = this;
    return {
      to: () => body.place(memory, word),
      toRow: () => body.code.i32(SCORE_ROW * 4),
    };
  }

  /** The same as left operand, as it lies or transposed. */
  scoresAsLeft(word: "atScores" | "atGradients", transposed: boolean): Left {
    const { body, memory } = this;
    const far = () => void body.code.i32(SCORE_ROW * 4);
    const near = () => void body.code.i32(4);
    const { rows: tall } = this.parts.variant;
    return {
      start: () => void body.place(memory, word),
      row: transposed ? near : far,
      deep: transposed ? far : near,
      strip: () => void body.code.i32(tall * (transposed ? 4 : SCORE_ROW * 4)),
    };
  }

  /**
   * Runs `block` for each block of keys up to what the last query sees, and in it `tile` for each tile of queries that
   * sees any of them. Locals: `key`, `block keys`; `row`, `rows`, `columns` (of the block that the tile sees), `visible`
   * (of the block that the tile's first row sees), `element`.
   */
  walk(bounds: Bounds, block: () => void, tile: () => void): void {
    const { body } = this;
    const { code } = body;
    const [key, blockKeys, end, left] = ["key", "block keys", "end of keys", "left"].map((n) => body.local(n));
    code.get(bounds.endRow).get(body.value("offset")).op("i32.add").set(left);
    pushMin(code, left, bounds.endKey).set(end);
    code.get(bounds.firstKey).set(key);
    code.while(
      () => code.get(key).get(end).op("i32.lt_s"),
      () => {
        code.get(end).get(key).op("i32.sub").set(left);
        pushMin(code, left, body.value("keyBlock")).set(blockKeys);
        block();
        this.walkTiles(bounds, tile);
        add(code, key, blockKeys);
      },
    );
  }

  private walkTiles({ batch, firstRow, endRow }: Bounds, tile: () => void): void {
    const { body } = this;
    const { code } = body;
    const [row, rows, left, columns, visible] = ["row", "rows", "left", "columns", "visible"].map((n) =>
      body.local(n),
    );
    code.get(firstRow).set(row);
    code.while(
      () => code.get(row).get(endRow).op("i32.lt_s"),
      () => {
        code.get(endRow).get(row).op("i32.sub").set(left);
        pushMin(code, left, body.value("tileRows")).set(rows);
        code.get(row).get(body.value("offset")).op("i32.add").get(body.local("key")).op("i32.sub").set(left);
        code.get(left).i32(1).op("i32.add").set(visible);
        add(code, left, rows);
        pushMin(code, left, body.local("block keys")).set(columns);
        code.get(columns).i32(0).op("i32.gt_s");
        code.if(() => {
          code.get(batch).get(body.value("queries")).op("i32.mul").get(row).op("i32.add");
          code.get(body.value("keys")).op("i32.mul").get(body.local("key")).op("i32.add");
          code.set(body.local("element"));
          tile();
        });
        add(code, row, rows);
      },
    );
  }

  private isCoded(name: AttentionMatrix): boolean {
    return this.parts.kernel.operands === "coded" && (name === "q" || name === "k" || name === "v");
  }

  /** Pushes the table of a coded operand, its scale multiplied in. */
  private table(name: AttentionMatrix) {
    const { body, memory } = this;
    return body.place(memory, "atTables").i32(TABLE_BYTES * ["q", "k", "v"].indexOf(name)).op("i32.add");
  }
} // prettier-ignore

/** 256 values. */
export const TABLE_BYTES = 1024;

/** Which part of a batch's scores a function works on. */
export interface Bounds {
  readonly batch: Local;
  readonly firstRow: Local;
  readonly endRow: Local;
  readonly firstKey: Local;
  readonly endKey: Local;
}
