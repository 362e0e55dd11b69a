/** One product of blocks: panels of B, panels of A, tiles, the epilogue; and a thread's share of it all. */
import type { MxGemmKernel } from "../mx-gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { WORD, add, argument, plusProduct, pushMin, words, type Word } from "./gemm-arguments.ts";
import { defineMacro } from "./gemm-macro.ts";
import { EPILOGUE_COLUMNS } from "./gemm-plan.ts";
import { takeItems } from "./gemm-run.ts";
import { defineMxMacro } from "./mx-macro.ts";
import { defineMxPack } from "./mx-pack.ts";
import { panelRecordBytes } from "./mx-panel.ts";
import { mxLocalLayout, type MxShape } from "./mx-plan.ts";

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
  return module.function(words(11), [], null, (code, base, ...item) => {
    new MxProductWriter(code, base, item, parts, callees).write();
  });
}

interface Callees {
  readonly macro: Callee;
  readonly packA: Callee;
  readonly packB: Callee;
}

/** A batch's places: what is found from the argument of the same name. */
const PLACES = [
  ["a", "aOuter", "aInner"],
  ["b", "bOuter", "bInner"],
  ["p", "pOuter", "pInner"],
  ["aScale", "aScaleOuter", "aScaleInner"],
  ["bScale", "bScaleOuter", "bScaleInner"],
] as const;

const LOADED = [
  "k", "aRow", "aDeep", "bDeep", "bColumn", "pRow", "blockRows", "blockColumns", "elementRow",
  "aScaleRow", "aScaleDeep", "bScaleDeep", "bScaleColumn",
] as const; // prettier-ignore

/** Writes the body of `product`; its fields are the function's local variables. */
class MxProductWriter {
  private readonly code: Code;
  private readonly base: Local;
  private readonly item: readonly Local[];
  private readonly parts: MxParts;
  private readonly callees: Callees;
  private readonly names = new Map<string, Local>();

  constructor(code: Code, base: Local, item: readonly Local[], parts: MxParts, callees: Callees) {
    this.code = code;
    this.base = base;
    this.item = item;
    this.parts = parts;
    this.callees = callees;
  }

  write(): void {
    const { code } = this;
    const [, firstRow, endRow, firstColumn, endColumn] = this.item;
    this.locate();
    this.blocks(firstColumn, endColumn, this.value("blockColumns"), "column", "columns", () =>
      this.blocksOfK(() =>
        this.blocks(firstRow, endRow, this.value("blockRows"), "row", "rows", () => {
          this.pack("a", this.local("row"), this.local("rows"));
          this.tiles();
        }),
      ),
    );
    code.op("return");
  }

  private local(name: string): Local {
    const known = this.names.get(name);
    if (known) return known;
    const local = this.code.local("i32");
    this.names.set(name, local);
    return local;
  }

  /** An argument word, loaded once at the start. */
  private value(word: (typeof LOADED)[number]): Local {
    return this.local(`argument ${word}`);
  }

  private locate(): void {
    const { code, base } = this;
    const [batch, firstRow, , firstColumn, , , , region] = this.item;
    for (const word of LOADED) argument(code, base, word).set(this.value(word));
    argument(code, base, "constants").i32(this.parts.poolOffset).op("i32.add").set(this.local("pool"));
    code.get(batch);
    argument(code, base, "inner").op("i32.div_u").set(this.local("outer"));
    code.get(batch);
    argument(code, base, "inner").op("i32.rem_u").set(this.local("inner"));
    const offset = (outer: Word, inner: Word) => {
      argument(code, base, outer).get(this.local("outer")).op("i32.mul");
      argument(code, base, inner).get(this.local("inner")).op("i32.mul").op("i32.add");
    };
    for (const [word, outer, inner] of PLACES) {
      argument(code, base, word);
      offset(outer, inner);
      code.op("i32.add").set(this.local(word));
    }
    offset("elementOuter", "elementInner");
    code.set(this.local("element"));
    argument(code, base, "product");
    code.if(() => {
      code.get(region).get(firstColumn).i32(2).op("i32.shl").op("i32.sub");
      code.get(firstRow).get(this.value("pRow")).op("i32.mul").op("i32.sub").set(this.local("p"));
    });
  } // prettier-ignore

  /** Runs `body` for each run of at most `step` places. */
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

  private blocksOfK(body: () => void): void {
    const { code, parts } = this;
    const { block } = parts.kernel;
    const [k, left, depth] = [this.local("from k"), this.local("k left"), this.local("depth")];
    code.i32(0).set(k);
    code.loop(() => {
      code.get(this.value("k")).get(k).op("i32.sub").set(left);
      pushMin(code, left, parts.shape.deep).set(depth);
      code.get(depth).i32(block - 1).op("i32.add").i32(block).op("i32.div_u").set(this.local("blocks"));
      code.get(k);
      argument(code, this.base, "accumulate").op("i32.or").set(this.local("accumulate"));
      this.pack("b", this.local("column"), this.local("columns"));
      body();
      add(code, k, depth);
      code.get(k).get(this.value("k")).op("i32.lt_s").brIf(0);
    });
  } // prettier-ignore

  /** Packs the block of an operand that starts at the current k. */
  private pack(operand: "a" | "b", first: Local, count: Local): void {
    const { code, parts } = this;
    const [, , , , , aPanels, bPanels, , local] = this.item;
    const [layout, panels, callee] =
      operand === "a"
        ? [parts.shape.a, aPanels, this.callees.packA]
        : [parts.shape.b, bPanels, this.callees.packB];
    const strip = this.local(`${operand} strip`);
    code.get(this.local("blocks")).i32(panelRecordBytes(layout)).op("i32.mul").set(strip);
    code.get(this.local("pool")).get(this.local(operand));
    const sizes = () => code.get(count).get(this.local("depth")).get(panels).get(strip);
    if (parts.kernel[operand].gathered) this.pushGathered(operand, first, sizes);
    else this.pushStrided(operand, first, sizes);
    code.get(local).i32(mxLocalLayout(parts.shape).stage).op("i32.add").call(callee);
  }

  /** Pushes the rest of what a strided packer takes, up to the stage; the operand's address is on the stack. */
  private pushStrided(operand: "a" | "b", first: Local, sizes: () => void): void {
    const { code, parts } = this;
    const [wide, deep, scaleWide, scaleDeep] =
      operand === "a"
        ? (["aRow", "aDeep", "aScaleRow", "aScaleDeep"] as const)
        : (["bColumn", "bDeep", "bScaleColumn", "bScaleDeep"] as const);
    plusProduct(code, this.local("from k"), this.value(deep));
    plusProduct(code, first, this.value(wide));
    code.get(this.value(wide)).get(this.value(deep));
    sizes();
    code.get(this.local("from k")).i32(parts.kernel.block).op("i32.div_u").set(this.local("from block"));
    code.get(this.local(operand === "a" ? "aScale" : "bScale"));
    plusProduct(code, this.local("from block"), this.value(scaleDeep));
    plusProduct(code, first, this.value(scaleWide));
    code.get(this.value(scaleWide)).get(this.value(scaleDeep));
  }

  /** The same for one that gathers: tables from the first place and k on, and where these are in their runs. */
  private pushGathered(operand: "a" | "b", first: Local, sizes: () => void): void {
    const { code, base } = this;
    const [from, run] = [this.local("from k"), operand === "a" ? "aRun" : "bRun"] as const;
    argument(code, base, `${operand}WideAt`).get(first).i32(2).op("i32.shl").op("i32.add");
    argument(code, base, `${operand}DeepAt`).get(from).i32(2).op("i32.shl").op("i32.add");
    sizes();
    code.get(this.local(operand === "a" ? "aScale" : "bScale"));
    argument(code, base, run).get(operand === "a" ? from : first);
    argument(code, base, run).op("i32.rem_u");
  }

  /** The block's tiles, and after the last k the epilogue, group of columns by group of columns. */
  private tiles(): void {
    const { code, parts } = this;
    const [columns, group, width, left] = ["columns", "group", "group width", "group left"].map((name) =>
      this.local(name),
    );
    const last = () => code.get(this.local("k left")).get(this.local("depth")).op("i32.le_s");
    code.get(columns).set(width);
    const wide = parts.shape.columns;
    if (parts.epilogue) last().if(() => code.i32(Math.ceil(EPILOGUE_COLUMNS / wide) * wide).set(width));
    code.i32(0).set(group);
    code.while(
      () => code.get(columns).get(group).op("i32.sub").tee(left).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, left, width).set(this.local("group columns"));
        this.group(group);
        if (parts.epilogue) last().if(() => this.epilogue(group));
        add(code, group, width);
      },
    );
  } // prettier-ignore

  private group(group: Local): void {
    const { code, parts } = this;
    const [, , , , , aPanels, bPanels, , local] = this.item;
    const [b, p] = [this.local("b strips"), this.local("p tile")];
    code.get(bPanels).get(group).i32(parts.shape.columns).op("i32.div_u");
    code.get(this.local("b strip")).op("i32.mul").op("i32.add").set(b);
    code.get(this.local("p"));
    plusProduct(code, this.local("row"), this.value("pRow"));
    code.get(this.local("column")).get(group).op("i32.add").i32(2).op("i32.shl").op("i32.add").set(p);
    const { integer, float } = parts.shape;
    code.get(this.local("rows")).get(this.local("group columns")).get(this.local("blocks"));
    if (!integer) code.i32(parts.kernel.block).op("i32.mul");
    code.get(aPanels).get(this.local("a strip")).get(b).get(this.local("b strip"));
    code.get(p).get(this.value("pRow")).get(this.local("accumulate"));
    code.get(local).i32(mxLocalLayout(parts.shape).tile).op("i32.add");
    if (!integer) code.i32(4).i32(float.rows * 4).i32(float.columns * 4);
    code.call(this.callees.macro);
  } // prettier-ignore

  private epilogue(group: Local): void {
    const { code, base, parts } = this;
    if (!parts.epilogue) return;
    const scratch = this.item[9];
    const [row, column] = [this.local("row"), this.local("tile column")];
    code.get(this.local("column")).get(group).op("i32.add").set(column);
    code.get(base).get(base).i32(WORD.epilogue * 4).op("i32.add");
    argument(code, base, "constants").get(scratch).get(this.local("p tile")).get(this.value("pRow"));
    code.get(this.local("element"));
    plusProduct(code, row, this.value("elementRow"));
    code.get(column).op("i32.add").get(this.value("elementRow")).get(row).get(column);
    code.get(this.local("rows")).get(this.local("group columns")).call(parts.epilogue.callee);
  } // prettier-ignore
}
