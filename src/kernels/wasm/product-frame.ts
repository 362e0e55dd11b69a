/** What products of float32 and of blocks have in common: their variables, their loops, and the epilogue's call. */
import { NamedLocals, type Code, type Local } from "./assembler.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { WORD, add, argument, plusProduct, pushMin, type Word } from "./gemm-arguments.ts";
import { EPILOGUE_COLUMNS } from "./gemm-plan.ts";

/** The parameters of `product` after the argument block's address. */
export interface Item {
  readonly batch: Local;
  readonly firstRow: Local;
  readonly endRow: Local;
  readonly firstColumn: Local;
  readonly endColumn: Local;
  /** Where this thread packs A and B, and where P goes if not to C. */
  readonly aPanels: Local;
  readonly bPanels: Local;
  readonly region: Local;
  readonly local: Local;
  readonly scratch: Local;
}

/** Number of an {@link Item}'s parameters. */
export const ITEM_WORDS = 10;

/** The item of a function whose parameters after the first are these. */
export function itemOf(parameters: readonly Local[]): Item {
  const [batch, firstRow, endRow, firstColumn, endColumn, ...memory] = parameters;
  const [aPanels, bPanels, region, local, scratch] = memory;
  return { batch, firstRow, endRow, firstColumn, endColumn, aPanels, bPanels, region, local, scratch };
}

/** A place of a batch: the argument it is found from, and its outer and inner strides. */
export type Place = readonly [word: Word, outer: Word, inner: Word];

/** The places that every product has. */
export const OPERAND_PLACES: readonly Place[] = [
  ["a", "aOuter", "aInner"],
  ["b", "bOuter", "bInner"],
  ["p", "pOuter", "pInner"],
];

/** The variables of a `product` function by name, and its loops over blocks. */
export class ProductFrame {
  readonly code: Code;
  readonly base: Local;
  readonly item: Item;
  private readonly locals: NamedLocals;

  constructor(code: Code, base: Local, item: Item) {
    this.code = code;
    this.base = base;
    this.locals = new NamedLocals(code);
    this.item = item;
  }

  /** A local variable by name. */
  local(name: string): Local {
    return this.locals.get(name);
  }

  /** An argument word, loaded once by {@link locate}. */
  value(word: Word): Local {
    return this.local(`argument ${word}`);
  }

  /** Loads argument words, and finds the batch's places, its first element in C's layout, and P. */
  locate(loaded: readonly Word[], places: readonly Place[]): void {
    const { code, base, item } = this;
    const all: readonly Word[] = ["k", "pRow", "blockRows", "blockColumns", "elementRow", ...loaded];
    for (const word of all) argument(code, base, word).set(this.value(word));
    const [outer, inner] = [this.local("outer"), this.local("inner")];
    argument(code.get(item.batch), base, "inner").op("i32.div_u").set(outer);
    argument(code.get(item.batch), base, "inner").op("i32.rem_u").set(inner);
    const offset = (outerWord: Word, innerWord: Word) => {
      argument(code, base, outerWord).get(outer).op("i32.mul");
      argument(code, base, innerWord).get(inner).op("i32.mul").op("i32.add");
    };
    for (const [word, outerWord, innerWord] of places) {
      argument(code, base, word);
      offset(outerWord, innerWord);
      code.op("i32.add").set(this.local(word));
    }
    offset("elementOuter", "elementInner");
    code.set(this.local("element"));
    argument(code, base, "product").if(() => {
      code.get(item.region).get(item.firstColumn).i32(2).op("i32.shl").op("i32.sub");
      code.get(item.firstRow).get(this.value("pRow")).op("i32.mul").op("i32.sub").set(this.local("p"));
    });
  }

  /** Blocks of this item's columns: locals `column` and `columns`. */
  blocksOfColumns(body: () => void): void {
    const { firstColumn, endColumn } = this.item;
    this.blocks(firstColumn, endColumn, this.value("blockColumns"), "column", "columns", body);
  }

  /** Blocks of this item's rows: locals `row` and `rows`. */
  blocksOfRows(body: () => void): void {
    const { firstRow, endRow } = this.item;
    this.blocks(firstRow, endRow, this.value("blockRows"), "row", "rows", body);
  }

  private blocks(
    first: Local,
    end: Local,
    step: Local,
    at: "row" | "column",
    count: "rows" | "columns",
    body: () => void,
  ): void {
    const { code } = this;
    const left = this.local(`${at} left`);
    code.get(first).set(this.local(at));
    code.while(
      () => code.get(end).get(this.local(at)).op("i32.sub").tee(left).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, left, step).set(this.local(count));
        body();
        add(code, this.local(at), this.local(count));
      },
    );
  } // prettier-ignore

  /** Blocks of at most `deep` k, one at least: locals `from k`, `k left`, `depth`, and `accumulate` for all but the first. */
  blocksOfK(deep: number, body: () => void): void {
    const { code } = this;
    const [k, left, depth] = [this.local("from k"), this.local("k left"), this.local("depth")];
    code.i32(0).set(k);
    code.loop(() => {
      code.get(this.value("k")).get(k).op("i32.sub").set(left);
      pushMin(code, left, deep).set(depth);
      argument(code.get(k), this.base, "accumulate").op("i32.or").set(this.local("accumulate"));
      body();
      add(code, k, depth);
      code.get(k).get(this.value("k")).op("i32.lt_s").brIf(0);
    });
  }

  /**
   * The tiles of a block of rows and one of columns; after the last k the epilogue, a few columns at a time, while they are
   * in cache. `group` writes those of `group columns` columns from `group` on, which go to `p tile`.
   *
   * @param wide  columns of a tile.
   */
  tiles(wide: number, epilogue: EpilogueFunction | null, group: () => void): void {
    const { code } = this;
    const [columns, at, width, left] = ["columns", "group", "group width", "group left"].map((name) =>
      this.local(name),
    );
    const last = () => code.get(this.local("k left")).get(this.local("depth")).op("i32.le_s");
    code.get(columns).set(width);
    if (epilogue) last().if(() => code.i32(Math.ceil(EPILOGUE_COLUMNS / wide) * wide).set(width));
    code.i32(0).set(at);
    code.while(
      () => code.get(columns).get(at).op("i32.sub").tee(left).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, left, width).set(this.local("group columns"));
        code.get(this.local("p"));
        plusProduct(code, this.local("row"), this.value("pRow"));
        code.get(this.local("column")).get(at).op("i32.add").i32(2).op("i32.shl").op("i32.add");
        code.set(this.local("p tile"));
        group();
        if (epilogue) last().if(() => this.epilogue(epilogue));
        add(code, at, width);
      },
    );
  }

  private epilogue({ callee }: EpilogueFunction): void {
    const { code, base, item } = this;
    const [row, column] = [this.local("row"), this.local("tile column")];
    code.get(this.local("column")).get(this.local("group")).op("i32.add").set(column);
    code.get(base).get(base).i32(WORD.epilogue * 4).op("i32.add");
    argument(code, base, "constants").get(item.scratch).get(this.local("p tile")).get(this.value("pRow"));
    code.get(this.local("element"));
    plusProduct(code, row, this.value("elementRow"));
    code.get(column).op("i32.add").get(this.value("elementRow")).get(row).get(column);
    code.get(this.local("rows")).get(this.local("group columns")).call(callee);
  } // prettier-ignore
}
