/** One product: blocks of B, blocks of A, tiles, and a thread's share of them. */
import type { GemmKernel } from "../gemm.ts";
import type { Callee, Code, Local, Module, WasmType } from "./assembler.ts";
import { defineBarrier } from "./control.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { CLAIM_STRIDE, WORD, argument, type Word } from "./gemm-arguments.ts";
import { defineEdge, defineMicro, type Variant } from "./gemm-micro.ts";
import { definePack, definePackCoded, defineScale, pushPanelBytes } from "./gemm-pack.ts";
import { DEEP, EPILOGUE_COLUMNS, localLayout } from "./gemm-plan.ts";

const words = (count: number): WasmType[] => Array.from({ length: count }, () => "i32");

/** Pushes min(x, limit). */
function pushMin(code: Code, x: Local, limit: Local | number): Code {
  const push = () => (typeof limit === "number" ? code.i32(limit) : code.get(limit));
  code.get(x);
  push();
  code.get(x);
  push();
  return code.op("i32.lt_s").op("select");
}

const add = (code: Code, to: Local, amount: Local | number): Code => {
  code.get(to);
  if (typeof amount === "number") code.i32(amount);
  else code.get(amount);
  return code.op("i32.add").set(to);
};

/** Adds x · y to the top of the stack. */
const plusProduct = (code: Code, x: Local, y: Local): Code => code.get(x).get(y).op("i32.mul").op("i32.add");

/**
 * Defines `macro(rows, columns, depth, a, aRow, aDeep, aStrip, b, bDeep, bStrip, p, pRow, accumulate, tile)`: a block of
 * A times a block of B. A strip of B stays in the first-level cache while A's strips stream past. Tiles that reach over
 * the edge are computed whole, in `tile`, and moved in part.
 */
function defineMacro(module: Module, variant: Variant): Callee {
  const { rows: tall, columns: wide } = variant;
  const strided = defineMicro(module, variant, false, null);
  const packed = defineMicro(module, variant, true, null);
  const edge = defineEdge(module, wide * 4);
  return module.function(words(14), [], null, (code, ...parameters) => {
    const [rows, columns, depth, a, aRow, aDeep, aStrip, b, bDeep, bStrip, p, pRow, accumulate, tile] = parameters;
    const left = code.local("i32");
    const bj = code.local("i32");
    const pj = code.local("i32");
    const panels = code.local("i32");
    code.get(aDeep).i32(tall * 4).op("i32.eq").get(aRow).i32(4).op("i32.eq").op("i32.and");
    code.get(bDeep).i32(wide * 4).op("i32.eq").op("i32.and").set(panels);
    const operands = () => code.get(depth).get(a).get(aRow).get(aDeep).get(bj).get(bDeep);
    const whole = () =>
      code.get(panels).if(
        () => operands().get(pj).get(pRow).get(accumulate).call(packed),
        () => operands().get(pj).get(pRow).get(accumulate).call(strided),
      );
    const part = () => {
      operands().get(tile).i32(wide * 4).i32(0).call(strided);
      pushMin(code, rows, tall);
      pushMin(code, left, wide).get(tile).get(pj).get(pRow).get(accumulate).call(edge);
    };
    const row = () => {
      code.get(columns).set(left).get(b).set(bj).get(p).set(pj);
      code.while(
        () => code.get(left).i32(0).op("i32.gt_s"),
        () => {
          code.get(rows).i32(tall).op("i32.ge_s").get(left).i32(wide).op("i32.ge_s").op("i32.and");
          code.if(whole, part);
          add(code, bj, bStrip);
          add(code, pj, wide * 4);
          add(code, left, -wide);
        },
      );
    };
    code.while(
      () => code.get(rows).i32(0).op("i32.gt_s"),
      () => {
        row();
        add(code, a, aStrip);
        code.get(p).get(pRow).i32(tall).op("i32.mul").op("i32.add").set(p);
        add(code, rows, -tall);
      },
    );
  });
} // prettier-ignore

/** The parameters of `product` after the argument block's address. */
export interface Team {
  readonly batch: Local;
  readonly firstColumn: Local;
  readonly endColumn: Local;
  /** This thread among those that share the product. */
  readonly thread: Local;
  readonly threads: Local;
  readonly aPanels: Local;
  readonly bPanels: Local;
  /** Where P goes if not to C. */
  readonly region: Local;
  readonly local: Local;
  readonly scratch: Local;
  /** Which of the two halves of `bPanels` comes next. */
  readonly parity: Local;
}

/** What a product calls, and the epilogue's constants' offset. */
interface Parts {
  readonly variant: Variant;
  readonly barrier: Callee;
  readonly macro: Callee;
  readonly packA: Callee;
  readonly packB: Callee;
  readonly scaleA: Callee | null;
  readonly scaleB: Callee | null;
  readonly epilogue: EpilogueFunction | null;
}

function defineParts(module: Module, kernel: GemmKernel, variant: Variant, epilogue: EpilogueFunction | null): Parts {
  const { rows, columns } = variant;
  return {
    variant,
    barrier: defineBarrier(module),
    macro: defineMacro(module, variant),
    packA: kernel.a === "f32" ? definePack(module, rows) : definePackCoded(module, rows),
    packB: kernel.b === "f32" ? definePack(module, columns) : definePackCoded(module, columns),
    scaleA: kernel.a === "coded" ? defineScale(module, rows) : null,
    scaleB: kernel.b === "coded" ? defineScale(module, columns) : null,
    epilogue,
  };
} // prettier-ignore

/**
 * Defines `product(arguments, …Team) → parity`.
 *
 *   for each block of columns, for each block of k:
 *     pack this thread's strips of B; meet the others
 *     for each block of rows that this thread claims: pack A, multiply, after the last k run the epilogue
 *
 * B's panels alternate between two halves, so one meeting a block is enough: whoever packs into a half has passed a
 * meeting that everyone reached after using it.
 */
export function defineProduct(
  module: Module,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
): Callee {
  const parts = defineParts(module, kernel, variant, epilogue);
  return module.function(words(12), ["i32"], null, (code, base, ...rest) => {
    const [batch, firstColumn, endColumn, thread, threads, aPanels, bPanels, region, local, scratch, parity] = rest;
    const team = { batch, firstColumn, endColumn, thread, threads, aPanels, bPanels, region, local, scratch, parity };
    new ProductWriter(code, base, team, parts).write();
    code.get(parity);
  });
} // prettier-ignore

/** Writes the body of `product`; its fields are the function's local variables. */
class ProductWriter {
  private readonly code: Code;
  private readonly base: Local;
  private readonly team: Team;
  private readonly parts: Parts;
  private readonly names = new Map<string, Local>();

  constructor(code: Code, base: Local, team: Team, parts: Parts) {
    this.code = code;
    this.base = base;
    this.team = team;
    this.parts = parts;
  }

  write(): void {
    this.locate();
    const { code, team } = this;
    const column = this.local("column");
    code.get(team.firstColumn).set(column);
    code.while(
      () => code.get(column).get(team.endColumn).op("i32.lt_s"),
      () => {
        code.get(team.endColumn).get(column).op("i32.sub").set(this.local("left"));
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
    const { code, base, team } = this;
    const loaded: readonly Word[] = [
      "m", "k", "aRow", "aDeep", "bDeep", "bColumn", "pRow", "blockRows", "blockColumns", "aDirect", "bDirect", "elementRow",
    ]; // prettier-ignore
    for (const word of loaded) argument(code, base, word).set(this.value(word));
    const outer = this.local("outer");
    const inner = this.local("inner");
    code.get(team.batch);
    argument(code, base, "inner").op("i32.div_u").set(outer);
    code.get(team.batch);
    argument(code, base, "inner").op("i32.rem_u").set(inner);
    const offset = (outerWord: Word, innerWord: Word) => {
      argument(code, base, outerWord).get(outer).op("i32.mul");
      argument(code, base, innerWord).get(inner).op("i32.mul").op("i32.add");
    };
    for (const [word, outerWord, innerWord] of [["a", "aOuter", "aInner"], ["b", "bOuter", "bInner"], ["p", "pOuter", "pInner"]] as const) {
      argument(code, base, word);
      offset(outerWord, innerWord);
      code.op("i32.add").set(this.local(word));
    }
    offset("elementOuter", "elementInner");
    code.set(this.local("element"));
    argument(code, base, "product").if(() =>
      code.get(team.region).get(team.firstColumn).i32(2).op("i32.shl").op("i32.sub").set(this.local("p")),
    );
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
      this.meet();
      this.blocksOfRows();
      this.flip();
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

  /** Packs this thread's strips of the block. */
  private packB(): void {
    const { code, team, base } = this;
    const { variant, packB, scaleB } = this.parts;
    const wide = variant.columns;
    const columns = this.local("columns");
    const depth = this.local("depth");
    const block = this.local("b block");
    const strip = this.local("b strip");
    pushPanelBytes(code, wide, depth).set(strip);
    code.i32(wide * 4).set(this.local("b deep"));
    argument(code, base, "bPanels").get(team.parity).op("i32.mul").get(team.bPanels).op("i32.add").set(block);
    const strips = this.local("strips");
    const first = this.local("first");
    const count = this.local("count");
    const panels = this.local("panels");
    code.get(columns).i32(wide - 1).op("i32.add").i32(wide).op("i32.div_u").set(strips);
    code.get(strips).get(team.thread).op("i32.mul").get(team.threads).op("i32.div_u").set(first);
    code.get(strips).get(team.thread).i32(1).op("i32.add").op("i32.mul").get(team.threads).op("i32.div_u");
    code.i32(wide).op("i32.mul").set(count);
    code.get(block);
    plusProduct(code, first, strip).set(panels);
    code.get(first).i32(wide).op("i32.mul").set(first);
    pushMin(code, count, columns).get(first).op("i32.sub").set(count);
    add(code, first, this.local("column"));
    code.get(this.local("b"));
    plusProduct(code, this.local("from k"), this.value("bDeep"));
    plusProduct(code, first, this.value("bColumn"));
    code.get(this.value("bColumn")).get(this.value("bDeep")).get(count).get(depth).get(panels);
    if (!scaleB) {
      code.call(packB);
      return;
    }
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    argument(code, base, "bScaleDeep").set(scaleDeep);
    argument(code, base, "bScaleColumn").set(scaleWide);
    this.pushTable("bTable", scaleDeep, scaleWide).call(packB);
    this.scale(scaleB, "bScale", panels, first, count);
  } // prettier-ignore

  /** Pushes the table to decode by: the one with the scale multiplied in where there is one scale. */
  private pushTable(word: "aTable" | "bTable", scaleDeep: Local, scaleWide: Local): Code {
    const { code, base, team, parts } = this;
    argument(code, base, word).get(team.local).i32(localLayout(parts.variant)[word]).op("i32.add");
    return code.get(scaleDeep).get(scaleWide).op("i32.or").op("select");
  }

  /** Multiplies panels by vectors of scales; `first` and `count` are along the wide axis. */
  private scale(callee: Callee, word: "aScale" | "bScale", panels: Local, first: Local, count: Local): void {
    const { code, base, team, parts } = this;
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    code.get(scaleDeep).get(scaleWide).op("i32.or");
    code.if(() => {
      code.get(panels).get(count).get(this.local("depth"));
      argument(code, base, word);
      plusProduct(code, this.local("from k"), scaleDeep);
      plusProduct(code, first, scaleWide);
      code.get(scaleWide).get(scaleDeep).get(team.local).i32(localLayout(parts.variant).pattern);
      code.op("i32.add").call(callee);
    });
  }

  /** Waits until all of B is packed; the last thread to come clears the counter of the next block. */
  private meet(): void {
    const { code, team, base } = this;
    code.get(team.threads).i32(1).op("i32.gt_s");
    code.if(() => {
      code.get(team.thread).get(team.threads);
      code.i32(1).get(team.parity).op("i32.sub").i32(CLAIM_STRIDE).op("i32.mul").get(base).op("i32.add");
      code
        .i32(WORD.claims * 4)
        .op("i32.add")
        .call(this.parts.barrier);
    });
  }

  private flip(): void {
    const { code, team } = this;
    code.get(team.threads).i32(1).op("i32.gt_s");
    code.if(() => code.i32(1).get(team.parity).op("i32.sub").set(team.parity));
  }

  private blocksOfRows(): void {
    const { code } = this;
    const row = this.local("row");
    const next = this.local("next row");
    code.i32(0).set(next);
    code.while(
      () => {
        this.claim(row, next);
        code.get(row).get(this.value("m")).op("i32.lt_s");
      },
      () => {
        code.get(this.value("m")).get(row).op("i32.sub").set(this.local("left"));
        pushMin(code, this.local("left"), this.value("blockRows")).set(this.local("rows"));
        this.blockOfA();
        this.tiles();
      },
    );
  }

  /** row = the first row of the next block that nobody has taken. */
  private claim(row: Local, next: Local): void {
    const { code, team, base } = this;
    code.get(team.threads).i32(1).op("i32.gt_s");
    code.if(
      () => {
        code.get(team.parity).i32(CLAIM_STRIDE).op("i32.mul").get(base).op("i32.add").i32(1);
        code
          .memory("i32.atomic.rmw.add", WORD.claims * 4)
          .get(this.value("blockRows"))
          .op("i32.mul")
          .set(row);
      },
      () => {
        code.get(next).set(row);
        add(code, next, this.value("blockRows"));
      },
    );
  }

  /** Packs a block of A, or, read in place, only its incomplete last strip. */
  private blockOfA(): void {
    const { code, team, parts } = this;
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
        code.get(team.local).i32(localLayout(parts.variant).edge).op("i32.add").set(edge);
        code.get(block);
        plusProduct(code, wholeRows, this.value("aRow"));
        code.get(this.value("aRow")).get(this.value("aDeep"));
        code.get(rows).get(wholeRows).op("i32.sub").get(depth).get(edge);
        if (parts.scaleA) code.i32(0);
        code.call(parts.packA);
        code.get(this.value("aRow")).set(this.local("a row")).get(this.value("aDeep")).set(this.local("a deep"));
        code.get(this.value("aRow")).i32(tall).op("i32.mul").set(this.local("a strip"));
      },
      () => {
        this.packA();
        code.get(team.aPanels).set(block).i32(4).set(this.local("a row")).i32(tall * 4).set(this.local("a deep"));
        pushPanelBytes(code, tall, depth).set(this.local("a strip"));
      },
    );
  } // prettier-ignore

  private packA(): void {
    const { code, team, base } = this;
    const { packA, scaleA } = this.parts;
    const rows = this.local("rows");
    code.get(this.local("a block")).get(this.value("aRow")).get(this.value("aDeep")).get(rows);
    code.get(this.local("depth")).get(team.aPanels);
    if (!scaleA) {
      code.call(packA);
      return;
    }
    const scaleDeep = this.local("scale deep");
    const scaleWide = this.local("scale wide");
    argument(code, base, "aScaleDeep").set(scaleDeep);
    argument(code, base, "aScaleRow").set(scaleWide);
    this.pushTable("aTable", scaleDeep, scaleWide).call(packA);
    this.scale(scaleA, "aScale", team.aPanels, this.local("row"), rows);
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
    const { code, parts, team } = this;
    const { rows: tall, columns: wide } = parts.variant;
    const strips = this.local("b strips");
    code.get(this.local("b block")).get(this.local("group")).i32(wide).op("i32.div_u");
    code.get(this.local("b strip")).op("i32.mul").op("i32.add").set(strips);
    const tilePointer = this.local("p tile");
    code.get(this.local("p"));
    plusProduct(code, this.local("row"), this.value("pRow"));
    code.get(this.local("column")).get(this.local("group")).op("i32.add").i32(2).op("i32.shl").op("i32.add");
    code.set(tilePointer);
    const rest = () =>
      code.get(strips).get(this.local("b deep")).get(this.local("b strip"));
    const target = () => {
      code.get(this.value("pRow")).get(this.local("accumulate"));
      code.get(team.local).i32(localLayout(parts.variant).tile).op("i32.add").call(parts.macro);
    };
    const head = () => code.get(this.local("group columns")).get(this.local("depth"));
    code.get(this.local("whole rows"));
    head().get(this.local("a block")).get(this.local("a row")).get(this.local("a deep")).get(this.local("a strip"));
    rest().get(tilePointer);
    target();
    code.get(this.local("rows")).get(this.local("whole rows")).op("i32.sub").set(this.local("left"));
    code.get(this.local("left")).if(() => {
      code.get(this.local("left"));
      head().get(this.local("edge")).i32(4).i32(tall * 4).i32(0);
      rest().get(tilePointer);
      plusProduct(code, this.local("whole rows"), this.value("pRow"));
      target();
    });
  } // prettier-ignore

  private epilogue(): void {
    const { code, base, team, parts } = this;
    if (!parts.epilogue) return;
    const column = this.local("tile column");
    code.get(this.local("column")).get(this.local("group")).op("i32.add").set(column);
    code
      .get(base)
      .get(base)
      .i32(WORD.epilogue * 4)
      .op("i32.add");
    argument(code, base, "constants").get(team.scratch).get(this.local("p tile")).get(this.value("pRow"));
    code.get(this.local("element"));
    plusProduct(code, this.local("row"), this.value("elementRow"));
    code.get(column).op("i32.add").get(this.value("elementRow")).get(this.local("row")).get(column);
    code.get(this.local("rows")).get(this.local("group columns")).call(parts.epilogue.callee);
  }
}
