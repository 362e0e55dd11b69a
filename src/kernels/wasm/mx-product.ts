/** One product of blocks: panels of B, panels of A, tiles, the epilogue; and a thread's share of it all. */
import type { MxGemmKernel } from "../mx-gemm.ts";
import type { Callee, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { argument, plusProduct, words } from "./gemm-arguments.ts";
import { defineMacro } from "./gemm-macro.ts";
import { takeItems } from "./gemm-run.ts";
import { defineMxMacro } from "./mx-macro.ts";
import { defineMxPack } from "./mx-pack.ts";
import { panelRecordBytes } from "./mx-panel.ts";
import { mxLocalLayout, type MxShape } from "./mx-plan.ts";
import { ITEM_WORDS, itemOf, OPERAND_PLACES, ProductFrame, type Place } from "./product-frame.ts";

/** What the module's functions are made from. */
export interface MxParts {
  readonly kernel: MxGemmKernel;
  readonly shape: MxShape;
  readonly epilogue: EpilogueFunction | null;
  readonly pool: ConstantPool;
  /** Where the pool lies, from the constants' start. */
  readonly poolOffset: number;
}

/** Defines the exported `run(thread, threads, arguments, scratch)`, as in `gemm-run.ts`. */
export function defineMxRun(module: Module, parts: MxParts): void {
  const product = defineMxProduct(module, parts);
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, _threads, base, scratch) => {
    const { bytes } = mxLocalLayout(parts.shape);
    const [local, region, bPanels, aPanels] = Array.from({ length: 4 }, () => code.local("i32"));
    argument(code, base, "workspace").i32(bytes);
    for (const word of ["product", "bPanels", "aPanels"] as const) argument(code, base, word).op("i32.add");
    code.get(thread).op("i32.mul").op("i32.add").tee(local).i32(bytes).op("i32.add").tee(region);
    argument(code, base, "product").op("i32.add").tee(bPanels);
    argument(code, base, "bPanels").op("i32.add").set(aPanels);
    takeItems(code, base, product, [aPanels, bPanels, region, local, scratch]);
  });
}

/** The macro-kernel of a shape; of float32 its depth is in k, and it takes the strides of panels. */
const defineMacroOf = (module: Module, { integer, float }: MxShape, block: number): Callee =>
  integer ? defineMxMacro(module, integer, block) : defineMacro(module, float);

/** Defines `product(arguments, batch, firstRow, endRow, firstColumn, endColumn, …memory)`. */
function defineMxProduct(module: Module, parts: MxParts): Callee {
  const { kernel, shape, pool } = parts;
  const callees = {
    macro: defineMacroOf(module, shape, kernel.block),
    packA: defineMxPack(module, kernel.a, shape.a, pool, "deep"),
    packB: defineMxPack(module, kernel.b, shape.b, pool, "wide"),
  };
  return module.function(words(1 + ITEM_WORDS), [], null, (code, base, ...rest) => {
    new MxProductWriter(new ProductFrame(code, base, itemOf(rest)), parts, callees).write();
  });
}

interface Callees {
  readonly macro: Callee;
  readonly packA: Callee;
  readonly packB: Callee;
}

const PLACES: readonly Place[] = [
  ...OPERAND_PLACES,
  ["aScale", "aScaleOuter", "aScaleInner"],
  ["bScale", "bScaleOuter", "bScaleInner"],
];

const LOADED = [
  "aRow", "aDeep", "bDeep", "bColumn", "aScaleRow", "aScaleDeep", "bScaleDeep", "bScaleColumn",
] as const; // prettier-ignore

/** Writes the body of `product`. */
class MxProductWriter {
  private readonly frame: ProductFrame;
  private readonly parts: MxParts;
  private readonly callees: Callees;

  constructor(frame: ProductFrame, parts: MxParts, callees: Callees) {
    this.frame = frame;
    this.parts = parts;
    this.callees = callees;
  }

  write(): void {
    const { frame, parts } = this;
    const { code, base } = frame;
    const { block } = parts.kernel;
    frame.locate(LOADED, PLACES);
    argument(code, base, "constants").i32(parts.poolOffset).op("i32.add").set(frame.local("pool"));
    frame.blocksOfColumns(() =>
      frame.blocksOfK(parts.shape.deep, () => {
        code.get(frame.local("depth")).i32(block - 1).op("i32.add").i32(block).op("i32.div_u");
        code.set(frame.local("blocks"));
        this.pack("b", frame.local("column"), frame.local("columns"));
        frame.blocksOfRows(() => {
          this.pack("a", frame.local("row"), frame.local("rows"));
          frame.tiles(parts.shape.columns, parts.epilogue, () => this.group());
        });
      }),
    );
  } // prettier-ignore

  /** Packs the block of an operand that starts at the current k. */
  private pack(operand: "a" | "b", first: Local, count: Local): void {
    const { frame, parts } = this;
    const { code } = frame;
    const { aPanels, bPanels, local } = frame.item;
    const [layout, panels, callee] =
      operand === "a"
        ? [parts.shape.a, aPanels, this.callees.packA]
        : [parts.shape.b, bPanels, this.callees.packB];
    const strip = frame.local(`${operand} strip`);
    code.get(frame.local("blocks")).i32(panelRecordBytes(layout)).op("i32.mul").set(strip);
    code.get(frame.local("pool")).get(frame.local(operand));
    const sizes = () => code.get(count).get(frame.local("depth")).get(panels).get(strip);
    if (parts.kernel[operand].gathered) this.pushGathered(operand, first, sizes);
    else this.pushStrided(operand, first, sizes);
    code.get(local).i32(mxLocalLayout(parts.shape).stage).op("i32.add").call(callee);
  }

  /** Pushes the rest of what a strided packer takes, up to the stage; the operand's address is on the stack. */
  private pushStrided(operand: "a" | "b", first: Local, sizes: () => void): void {
    const { frame, parts } = this;
    const { code } = frame;
    const [wide, deep, scaleWide, scaleDeep] =
      operand === "a"
        ? (["aRow", "aDeep", "aScaleRow", "aScaleDeep"] as const)
        : (["bColumn", "bDeep", "bScaleColumn", "bScaleDeep"] as const);
    plusProduct(code, frame.local("from k"), frame.value(deep));
    plusProduct(code, first, frame.value(wide));
    code.get(frame.value(wide)).get(frame.value(deep));
    sizes();
    code.get(frame.local("from k")).i32(parts.kernel.block).op("i32.div_u").set(frame.local("from block"));
    code.get(frame.local(operand === "a" ? "aScale" : "bScale"));
    plusProduct(code, frame.local("from block"), frame.value(scaleDeep));
    plusProduct(code, first, frame.value(scaleWide));
    code.get(frame.value(scaleWide)).get(frame.value(scaleDeep));
  }

  /** The same for one that gathers: tables from the first place and k on, and where these are in their runs. */
  private pushGathered(operand: "a" | "b", first: Local, sizes: () => void): void {
    const { frame } = this;
    const { code, base } = frame;
    const [from, run] = [frame.local("from k"), operand === "a" ? "aRun" : "bRun"] as const;
    argument(code, base, `${operand}WideAt`).get(first).i32(2).op("i32.shl").op("i32.add");
    argument(code, base, `${operand}DeepAt`).get(from).i32(2).op("i32.shl").op("i32.add");
    sizes();
    code.get(frame.local(operand === "a" ? "aScale" : "bScale"));
    argument(code, base, run).get(operand === "a" ? from : first);
    argument(code, base, run).op("i32.rem_u");
  }

  private group(): void {
    const { frame, parts } = this;
    const { code } = frame;
    const { aPanels, bPanels, local } = frame.item;
    const [b, p] = [frame.local("b strips"), frame.local("p tile")];
    code.get(bPanels).get(frame.local("group")).i32(parts.shape.columns).op("i32.div_u");
    code.get(frame.local("b strip")).op("i32.mul").op("i32.add").set(b);
    const { integer, float } = parts.shape;
    code.get(frame.local("rows")).get(frame.local("group columns")).get(frame.local("blocks"));
    if (!integer) code.i32(parts.kernel.block).op("i32.mul");
    code.get(aPanels).get(frame.local("a strip")).get(b).get(frame.local("b strip"));
    code.get(p).get(frame.value("pRow")).get(frame.local("accumulate"));
    code.get(local).i32(mxLocalLayout(parts.shape).tile).op("i32.add");
    if (!integer) code.i32(4).i32(float.rows * 4).i32(float.columns * 4);
    code.call(this.callees.macro);
  } // prettier-ignore
}
