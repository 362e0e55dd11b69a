/** One product: blocks of B, blocks of A, tiles, and a thread's share of them. */
import type { GemmKernel, GemmOperand } from "../gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { argument, plusProduct, words } from "./gemm-arguments.ts";
import { defineMacro } from "./gemm-macro.ts";
import type { Variant } from "./gemm-micro.ts";
import { definePackGathered } from "./gemm-gather.ts";
import { definePack, definePackCoded, pushPanelBytes, type Packer } from "./gemm-pack.ts";
import { DEEP, localLayout } from "./gemm-plan.ts";
import { defineScale } from "./gemm-scale.ts";
import { ITEM_WORDS, itemOf, OPERAND_PLACES, ProductFrame } from "./product-frame.ts";

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
  return module.function(words(1 + ITEM_WORDS), [], null, (code, base, ...rest) => {
    new ProductWriter(new ProductFrame(code, base, itemOf(rest)), parts).write();
  });
}

/** Writes the body of `product`. */
class ProductWriter {
  private readonly frame: ProductFrame;
  private readonly parts: Parts;

  constructor(frame: ProductFrame, parts: Parts) {
    this.frame = frame;
    this.parts = parts;
  }

  write(): void {
    const { frame, parts } = this;
    const { code } = frame;
    frame.locate(["aRow", "aDeep", "bDeep", "bColumn", "aDirect", "bDirect"], OPERAND_PLACES);
    frame.blocksOfColumns(() =>
      frame.blocksOfK(DEEP, () => {
        code.get(frame.value("bDirect")).if(
          () => this.readB(),
          () => this.packB(),
        );
        frame.blocksOfRows(() => {
          this.blockOfA();
          frame.tiles(parts.variant.columns, parts.epilogue, () => this.group());
        });
      }),
    );
  }

  /** B is read where it lies. */
  private readB(): void {
    const { frame } = this;
    const { code } = frame;
    code.get(frame.local("b"));
    plusProduct(code, frame.local("from k"), frame.value("bDeep"));
    plusProduct(code, frame.local("column"), frame.value("bColumn")).set(frame.local("b block"));
    code.get(frame.value("bDeep")).set(frame.local("b deep"));
    code.i32(this.parts.variant.columns * 4).set(frame.local("b strip"));
  }

  private packB(): void {
    const { frame } = this;
    const { code, item, base } = frame;
    const { variant, packB, scaleB, gathersB } = this.parts;
    const depth = frame.local("depth");
    const columns = frame.local("columns");
    pushPanelBytes(code, variant.columns, depth).set(frame.local("b strip"));
    code.i32(variant.columns * 4).set(frame.local("b deep"));
    code.get(item.bPanels).set(frame.local("b block"));
    if (gathersB) {
      this.packGathered(packB, "b", frame.local("column"), columns, item.bPanels);
      return;
    }
    code.get(frame.local("b"));
    plusProduct(code, frame.local("from k"), frame.value("bDeep"));
    plusProduct(code, frame.local("column"), frame.value("bColumn"));
    code.get(frame.value("bColumn")).get(frame.value("bDeep")).get(columns).get(depth).get(item.bPanels);
    if (!scaleB) {
      code.call(packB);
      return;
    }
    const scaleDeep = frame.local("scale deep");
    const scaleWide = frame.local("scale wide");
    argument(code, base, "bScaleDeep").set(scaleDeep);
    argument(code, base, "bScaleColumn").set(scaleWide);
    this.pushTable("bTable", scaleDeep, scaleWide).call(packB);
    this.scale(scaleB, "bScale", item.bPanels, frame.local("column"), columns);
  } // prettier-ignore

  /** Packs `count` rows of A or columns of B from `first` on, at this block's k. */
  private packGathered(pack: Packer, operand: "a" | "b", first: Local, count: Local, panels: Local): void {
    const { frame } = this;
    const { code, base } = frame;
    code.get(frame.local(operand));
    argument(code, base, `${operand}WideAt`).get(first).i32(2).op("i32.shl").op("i32.add");
    argument(code, base, `${operand}DeepAt`).get(frame.local("from k")).i32(2).op("i32.shl").op("i32.add");
    code.get(count).get(frame.local("depth")).get(panels);
    argument(code, base, `${operand}Run`);
    code.get(operand === "a" ? frame.local("from k") : first);
    argument(code, base, `${operand}Run`).op("i32.rem_u").call(pack);
  }

  /** Pushes the table to decode by: the one with the scale multiplied in where there is one scale. */
  private pushTable(word: "aTable" | "bTable", scaleDeep: Local, scaleWide: Local): Code {
    const { frame, parts } = this;
    const { code, base, item } = frame;
    argument(code, base, word).get(item.local).i32(localLayout(parts.variant)[word]).op("i32.add");
    return code.get(scaleDeep).get(scaleWide).op("i32.or").op("select");
  }

  /** Multiplies panels by vectors of scales; `first` and `count` are along the wide axis. */
  private scale(callee: Callee, word: "aScale" | "bScale", panels: Local, first: Local, count: Local): void {
    const { frame, parts } = this;
    const { code, base, item } = frame;
    const scaleDeep = frame.local("scale deep");
    const scaleWide = frame.local("scale wide");
    code.get(scaleDeep).get(scaleWide).op("i32.or");
    code.if(() => {
      code.get(panels).get(count).get(frame.local("depth"));
      argument(code, base, word);
      plusProduct(code, frame.local("from k"), scaleDeep);
      plusProduct(code, first, scaleWide);
      code.get(scaleWide).get(scaleDeep).get(item.local).i32(localLayout(parts.variant).pattern);
      code.op("i32.add").call(callee);
    });
  }

  /** Packs a block of A, or, read in place, only its incomplete last strip. */
  private blockOfA(): void {
    const { frame, parts } = this;
    const { code, item } = frame;
    const tall = parts.variant.rows;
    const rows = frame.local("rows");
    const wholeRows = frame.local("whole rows");
    const block = frame.local("a block");
    const edge = frame.local("edge");
    const depth = frame.local("depth");
    code.get(frame.local("a"));
    plusProduct(code, frame.local("row"), frame.value("aRow"));
    plusProduct(code, frame.local("from k"), frame.value("aDeep")).set(block);
    code.get(rows).set(wholeRows);
    code.get(frame.value("aDirect")).if(
      () => {
        code.get(rows).get(rows).i32(tall).op("i32.rem_u").op("i32.sub").set(wholeRows);
        code.get(item.local).i32(localLayout(parts.variant).edge).op("i32.add").set(edge);
        code.get(block);
        plusProduct(code, wholeRows, frame.value("aRow"));
        code.get(frame.value("aRow")).get(frame.value("aDeep"));
        code.get(rows).get(wholeRows).op("i32.sub").get(depth).get(edge);
        if (parts.scaleA) code.i32(0);
        if (parts.gathersA) code.i32(1).i32(0);
        code.call(parts.packA);
        code.get(frame.value("aRow")).set(frame.local("a row"));
        code.get(frame.value("aDeep")).set(frame.local("a deep"));
        code.get(frame.value("aRow")).i32(tall).op("i32.mul").set(frame.local("a strip"));
      },
      () => {
        this.packA();
        code.get(item.aPanels).set(block).i32(4).set(frame.local("a row"));
        code.i32(tall * 4).set(frame.local("a deep"));
        pushPanelBytes(code, tall, depth).set(frame.local("a strip"));
      },
    );
  } // prettier-ignore

  private packA(): void {
    const { frame } = this;
    const { code, item, base } = frame;
    const { packA, scaleA, gathersA } = this.parts;
    const rows = frame.local("rows");
    if (gathersA) {
      this.packGathered(packA, "a", frame.local("row"), rows, item.aPanels);
      return;
    }
    code.get(frame.local("a block")).get(frame.value("aRow")).get(frame.value("aDeep")).get(rows);
    code.get(frame.local("depth")).get(item.aPanels);
    if (!scaleA) {
      code.call(packA);
      return;
    }
    const scaleDeep = frame.local("scale deep");
    const scaleWide = frame.local("scale wide");
    argument(code, base, "aScaleDeep").set(scaleDeep);
    argument(code, base, "aScaleRow").set(scaleWide);
    this.pushTable("aTable", scaleDeep, scaleWide).call(packA);
    this.scale(scaleA, "aScale", item.aPanels, frame.local("row"), rows);
  }

  private group(): void {
    const { frame, parts } = this;
    const { code, item } = frame;
    const { rows: tall, columns: wide } = parts.variant;
    const strips = frame.local("b strips");
    code.get(frame.local("b block")).get(frame.local("group")).i32(wide).op("i32.div_u");
    code.get(frame.local("b strip")).op("i32.mul").op("i32.add").set(strips);
    const tilePointer = frame.local("p tile");
    const operands = (a: Local, aStrip: Local) => {
      code.get(frame.local("group columns")).get(frame.local("depth")).get(a).get(aStrip);
      code.get(strips).get(frame.local("b strip")).get(tilePointer);
    };
    const target = () => {
      code.get(frame.value("pRow")).get(frame.local("accumulate"));
      code.get(item.local).i32(localLayout(parts.variant).tile).op("i32.add");
    };
    code.get(frame.local("whole rows"));
    operands(frame.local("a block"), frame.local("a strip"));
    target();
    code.get(frame.local("a row")).get(frame.local("a deep")).get(frame.local("b deep")).call(parts.macro);
    code.get(frame.local("rows")).get(frame.local("whole rows")).op("i32.sub").set(frame.local("left"));
    code.get(frame.local("left")).if(() => {
      code.get(frame.local("left"));
      operands(frame.local("edge"), frame.local("a strip"));
      plusProduct(code, frame.local("whole rows"), frame.value("pRow"));
      target();
      code.i32(4).i32(tall * 4).get(frame.local("b deep")).call(parts.macro);
    });
  } // prettier-ignore
}
