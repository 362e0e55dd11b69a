/** One product: blocks of B, blocks of A, tiles, and a thread's share of them. */
import type { GemmKernel, GemmOperand } from "../gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { WORD, add, argument, plusProduct, pushMin, words, type Word } from "./gemm-arguments.ts";
import { defineMacro } from "./gemm-macro.ts";
import type { Variant } from "./gemm-micro.ts";
import { definePackGathered } from "./gemm-gather.ts";
import { definePack, definePackCoded, pushPanelBytes, type Packer } from "./gemm-pack.ts";
import { DEEP, EPILOGUE_COLUMNS, localLayout } from "./gemm-plan.ts";
import { defineScale } from "./gemm-scale.ts";

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

/** What a product calls, and the epilogue's constants' offset. */
interface Parts {
  readonly variant: Variant;
  readonly macro: Callee;
  readonly packA: Callee;
  readonly packB: Callee;
  readonly gathersA: boolean;
  readonly gathersB: boolean;
  readonly scaleA: Callee | null;
  readonly scaleB: Callee | null;
  readonly epilogue: EpilogueFunction | null;
}

/** The packer of each kind of operand; the last argument says along which axis its columns are. */
const packers = {
  f32: definePack,
  coded: definePackCoded,
  gathered: definePackGathered,
} as const satisfies Record<GemmOperand, (module: Module, width: number, columns: "wide" | "deep") => Packer>;

function defineParts(
  module: Module,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
): Parts {
  const { rows, columns } = variant;
  return {
    variant,
    macro: defineMacro(module, variant),
    packA: packers[kernel.a](module, rows, "deep"),
    packB: packers[kernel.b](module, columns, "wide"),
    gathersA: kernel.a === "gathered",
    gathersB: kernel.b === "gathered",
    scaleA: kernel.a === "coded" ? defineScale(module, rows) : null,
    scaleB: kernel.b === "coded" ? defineScale(module, columns) : null,
    epilogue,
  };
} // prettier-ignore

/**
 * Defines `product(arguments, …Item)`: a rectangle of one batch's product, by one thread.
 *
 *   for each block of columns, for each block of k: pack B
 *     for each block of rows: pack A, multiply; after the last k run the epilogue
 */
export function defineProduct(
  module: Module,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
): Callee {
  const parts = defineParts(module, kernel, variant, epilogue);
  return module.function(words(11), [], null, (code, base, ...rest) => {
    const [batch, firstRow, endRow, firstColumn, endColumn, aPanels, bPanels, region, local, scratch] = rest;
    const memory = { aPanels, bPanels, region, local, scratch };
    const item = { batch, firstRow, endRow, firstColumn, endColumn, ...memory };
    new ProductWriter(code, base, item, parts).write();
  });
} // prettier-ignore

/** What a batch's place is found from. */
const BATCH_STRIDES = [
  ["a", "aOuter", "aInner"],
  ["b", "bOuter", "bInner"],
  ["p", "pOuter", "pInner"],
] as const;

/** Writes the body of `product`; its fields are the function's local variables. */
class ProductWriter {
  private readonly code: Code;
  private readonly base: Local;
  private readonly item: Item;
  private readonly parts: Parts;
  private readonly names = new Map<string, Local>();

  constructor(code: Code, base: Local, item: Item, parts: Parts) {
    this.code = code;
    this.base = base;
    this.item = item;
    this.parts = parts;
  }

  write(): void {
    this.locate();
    const { code, item } = this;
    const column = this.local("column");
    code.get(item.firstColumn).set(column);
    code.while(
      () => code.get(column).get(item.endColumn).op("i32.lt_s"),
      () => {
        code.get(item.endColumn).get(column).op("i32.sub").set(this.local("left"));
        pushMin(code, this.local("left"), this.value("blockColumns")).set(this.local("columns"));
        this.blocksOfK();
        add(code, column, this.local("columns"));
      },
    );
  }

  /** A local variable by name. */
  private local(name: string): Local {
    const known = this.names.get(name);
    if (known) return known;
    const local = this.code.local("i32");
    this.names.set(name, local);
    return local;
  }

  /** An argument word, loaded once at the start. */
  private value(word: Word): Local {
    return this.local(`argument ${word}`);
  }

  /** Loads the arguments, and finds the operands of this batch. */
  private locate(): void {
    const { code, base, item } = this;
    const loaded: readonly Word[] = [
      "k", "aRow", "aDeep", "bDeep", "bColumn", "pRow", "blockRows", "blockColumns", "aDirect", "bDirect",
      "elementRow",
    ]; // prettier-ignore
    for (const word of loaded) argument(code, base, word).set(this.value(word));
    const outer = this.local("outer");
    const inner = this.local("inner");
    code.get(item.batch);
    argument(code, base, "inner").op("i32.div_u").set(outer);
    code.get(item.batch);
    argument(code, base, "inner").op("i32.rem_u").set(inner);
    const offset = (outerWord: Word, innerWord: Word) => {
      argument(code, base, outerWord).get(outer).op("i32.mul");
      argument(code, base, innerWord).get(inner).op("i32.mul").op("i32.add");
    };
    for (const [word, outerWord, innerWord] of BATCH_STRIDES) {
      argument(code, base, word);
      offset(outerWord, innerWord);
      code.op("i32.add").set(this.local(word));
    }
    offset("elementOuter", "elementInner");
    code.set(this.local("element"));
    argument(code, base, "product").if(() =>
{
      code.get(item.region).get(item.firstColumn).i32(2).op("i32.shl").op("i32.sub");
      code.get(item.firstRow).get(this.value("pRow")).op("i32.mul").op("i32.sub").set(this.local("p"));
    });
  } // prettier-ignore

  private blocksOfK(): void {
    const { code } = this;
    const k = this.local("from k");
    const depth = this.local("depth");
    code.i32(0).set(k);
    code.loop(() => {
      code.get(this.value("k")).get(k).op("i32.sub").set(this.local("left"));
      pushMin(code, this.local("left"), DEEP).set(depth);
      code.get(k);
      argument(code, this.base, "accumulate").op("i32.or").set(this.local("accumulate"));
      code.get(this.value("bDirect")).if(
        () => this.readB(),
        () => this.packB(),
      );
      this.blocksOfRows();
      add(code, k, depth);
      code.get(k).get(this.value("k")).op("i32.lt_s").brIf(0);
    });
  }

  /** B is read where it lies. */
  private readB(): void {
    const { code } = this;
    code.get(this.local("b"));
    plusProduct(code, this.local("from k"), this.value("bDeep"));
    plusProduct(code, this.local("column"), this.value("bColumn")).set(this.local("b block"));
    code.get(this.value("bDeep")).set(this.local("b deep"));
    code.i32(this.parts.variant.columns * 4).set(this.local("b strip"));
  }

  private packB(): void {
    const { code, item, base } = this;
    const { variant, packB, scaleB, gathersB } = this.parts;
    const depth = this.local("depth");
    const columns = this.local("columns");
    pushPanelBytes(code, variant.columns, depth).set(this.local("b strip"));
    code.i32(variant.columns * 4).set(this.local("b deep"));
    code.get(item.bPanels).set(this.local("b block"));
    if (gathersB) {
      this.packGathered(packB, "b", this.local("column"), columns, item.bPanels);
      return;
    }
    code.get(this.local("b"));
    plusProduct(code, this.local("from k"), this.value("bDeep"));
    plusProduct(code, this.local("column"), this.value("bColumn"));
    code.get(this.value("bColumn")).get(this.value("bDeep")).get(columns).get(depth).get(item.bPanels);
    if (!scaleB) {
      code.call(packB);
      return;
    }
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    argument(code, base, "bScaleDeep").set(scaleDeep);
    argument(code, base, "bScaleColumn").set(scaleWide);
    this.pushTable("bTable", scaleDeep, scaleWide).call(packB);
    this.scale(scaleB, "bScale", item.bPanels, this.local("column"), columns);
  } // prettier-ignore

  /** Packs `count` rows of A or columns of B from `first` on, at this block's k. */
  private packGathered(pack: Packer, operand: "a" | "b", first: Local, count: Local, panels: Local): void {
    const { code, base } = this;
    code.get(this.local(operand));
    argument(code, base, `${operand}WideAt`).get(first).i32(2).op("i32.shl").op("i32.add");
    argument(code, base, `${operand}DeepAt`).get(this.local("from k")).i32(2).op("i32.shl").op("i32.add");
    code.get(count).get(this.local("depth")).get(panels);
    argument(code, base, `${operand}Run`);
    code.get(operand === "a" ? this.local("from k") : first);
    argument(code, base, `${operand}Run`).op("i32.rem_u").call(pack);
  }

  /** Pushes the table to decode by: the one with the scale multiplied in where there is one scale. */
  private pushTable(word: "aTable" | "bTable", scaleDeep: Local, scaleWide: Local): Code {
    const { code, base, item, parts } = this;
    argument(code, base, word).get(item.local).i32(localLayout(parts.variant)[word]).op("i32.add");
    return code.get(scaleDeep).get(scaleWide).op("i32.or").op("select");
  }

  /** Multiplies panels by vectors of scales; `first` and `count` are along the wide axis. */
  private scale(callee: Callee, word: "aScale" | "bScale", panels: Local, first: Local, count: Local): void {
    const { code, base, item, parts } = this;
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    code.get(scaleDeep).get(scaleWide).op("i32.or");
    code.if(() => {
      code.get(panels).get(count).get(this.local("depth"));
      argument(code, base, word);
      plusProduct(code, this.local("from k"), scaleDeep);
      plusProduct(code, first, scaleWide);
      code.get(scaleWide).get(scaleDeep).get(item.local).i32(localLayout(parts.variant).pattern);
      code.op("i32.add").call(callee);
    });
  }

  private blocksOfRows(): void {
    const { code, item } = this;
    const row = this.local("row");
    code.get(item.firstRow).set(row);
    code.while(
      () => code.get(row).get(item.endRow).op("i32.lt_s"),
      () => {
        code.get(item.endRow).get(row).op("i32.sub").set(this.local("left"));
        pushMin(code, this.local("left"), this.value("blockRows")).set(this.local("rows"));
        this.blockOfA();
        this.tiles();
        add(code, row, this.local("rows"));
      },
    );
  }

  /** Packs a block of A, or, read in place, only its incomplete last strip. */
  private blockOfA(): void {
    const { code, item, parts } = this;
    const tall = parts.variant.rows;
    const rows = this.local("rows");
    const wholeRows = this.local("whole rows");
    const block = this.local("a block");
    const edge = this.local("edge");
    const depth = this.local("depth");
    code.get(this.local("a"));
    plusProduct(code, this.local("row"), this.value("aRow"));
    plusProduct(code, this.local("from k"), this.value("aDeep")).set(block);
    code.get(rows).set(wholeRows);
    code.get(this.value("aDirect")).if(
      () => {
        code.get(rows).get(rows).i32(tall).op("i32.rem_u").op("i32.sub").set(wholeRows);
        code.get(item.local).i32(localLayout(parts.variant).edge).op("i32.add").set(edge);
        code.get(block);
        plusProduct(code, wholeRows, this.value("aRow"));
        code.get(this.value("aRow")).get(this.value("aDeep"));
        code.get(rows).get(wholeRows).op("i32.sub").get(depth).get(edge);
        if (parts.scaleA) code.i32(0);
        if (parts.gathersA) code.i32(1).i32(0);
        code.call(parts.packA);
        code.get(this.value("aRow")).set(this.local("a row"));
        code.get(this.value("aDeep")).set(this.local("a deep"));
        code.get(this.value("aRow")).i32(tall).op("i32.mul").set(this.local("a strip"));
      },
      () => {
        this.packA();
        code.get(item.aPanels).set(block).i32(4).set(this.local("a row"));
        code.i32(tall * 4).set(this.local("a deep"));
        pushPanelBytes(code, tall, depth).set(this.local("a strip"));
      },
    );
  } // prettier-ignore

  private packA(): void {
    const { code, item, base } = this;
    const { packA, scaleA, gathersA } = this.parts;
    const rows = this.local("rows");
    if (gathersA) {
      this.packGathered(packA, "a", this.local("row"), rows, item.aPanels);
      return;
    }
    code.get(this.local("a block")).get(this.value("aRow")).get(this.value("aDeep")).get(rows);
    code.get(this.local("depth")).get(item.aPanels);
    if (!scaleA) {
      code.call(packA);
      return;
    }
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    argument(code, base, "aScaleDeep").set(scaleDeep);
    argument(code, base, "aScaleRow").set(scaleWide);
    this.pushTable("aTable", scaleDeep, scaleWide).call(packA);
    this.scale(scaleA, "aScale", item.aPanels, this.local("row"), rows);
  }

  /** The block's tiles, and after the last k the epilogue, group of columns by group of columns. */
  private tiles(): void {
    const { code, parts } = this;
    const columns = this.local("columns");
    const group = this.local("group");
    const width = this.local("group width");
    const end = this.local("end of k");
    code.get(this.local("from k")).get(this.local("depth")).op("i32.add").set(end);
    code.get(columns).set(width);
    const last = () => code.get(end).get(this.value("k")).op("i32.ge_s");
    const { columns: wide } = parts.variant;
    if (parts.epilogue) last().if(() => code.i32(Math.ceil(EPILOGUE_COLUMNS / wide) * wide).set(width));
    code.i32(0).set(group);
    code.while(
      () => code.get(group).get(columns).op("i32.lt_s"),
      () => {
        code.get(columns).get(group).op("i32.sub").set(this.local("left"));
        pushMin(code, this.local("left"), width).set(this.local("group columns"));
        this.group();
        if (parts.epilogue) last().if(() => this.epilogue());
        add(code, group, width);
      },
    );
  }

  private group(): void {
    const { code, parts, item } = this;
    const { rows: tall, columns: wide } = parts.variant;
    const strips = this.local("b strips");
    code.get(this.local("b block")).get(this.local("group")).i32(wide).op("i32.div_u");
    code.get(this.local("b strip")).op("i32.mul").op("i32.add").set(strips);
    const tilePointer = this.local("p tile");
    code.get(this.local("p"));
    plusProduct(code, this.local("row"), this.value("pRow"));
    code.get(this.local("column")).get(this.local("group")).op("i32.add").i32(2).op("i32.shl").op("i32.add");
    code.set(tilePointer);
    const operands = (a: Local, aStrip: Local) => {
      code.get(this.local("group columns")).get(this.local("depth")).get(a).get(aStrip);
      code.get(strips).get(this.local("b strip")).get(tilePointer);
    };
    const target = () => {
      code.get(this.value("pRow")).get(this.local("accumulate"));
      code.get(item.local).i32(localLayout(parts.variant).tile).op("i32.add");
    };
    code.get(this.local("whole rows"));
    operands(this.local("a block"), this.local("a strip"));
    target();
    code.get(this.local("a row")).get(this.local("a deep")).get(this.local("b deep")).call(parts.macro);
    code.get(this.local("rows")).get(this.local("whole rows")).op("i32.sub").set(this.local("left"));
    code.get(this.local("left")).if(() => {
      code.get(this.local("left"));
      operands(this.local("edge"), this.local("a strip"));
      plusProduct(code, this.local("whole rows"), this.value("pRow"));
      target();
      code.i32(4).i32(tall * 4).get(this.local("b deep")).call(parts.macro);
    });
  } // prettier-ignore

  private epilogue(): void {
    const { code, base, item, parts } = this;
    if (!parts.epilogue) return;
    const column = this.local("tile column");
    code.get(this.local("column")).get(this.local("group")).op("i32.add").set(column);
    code
      .get(base)
      .get(base)
      .i32(WORD.epilogue * 4)
      .op("i32.add");
    argument(code, base, "constants").get(item.scratch).get(this.local("p tile")).get(this.value("pRow"));
    code.get(this.local("element"));
    plusProduct(code, this.local("row"), this.value("elementRow"));
    code.get(column).op("i32.add").get(this.value("elementRow")).get(this.local("row")).get(column);
    code.get(this.local("rows")).get(this.local("group columns")).call(parts.epilogue.callee);
  }
}
