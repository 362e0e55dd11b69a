/** What a thread does with a whole gemm: its workspace, and which parts of which products it takes. */
import type { GemmKernel } from "../gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { WORD, argument, type Word } from "./gemm-arguments.ts";
import type { Variant } from "./gemm-micro.ts";
import { localLayout } from "./gemm-plan.ts";
import { defineProduct } from "./gemm-product.ts";

/**
 * Defines the exported `run(thread, threads, arguments, scratch)`: threads take items, a rectangle of one
 * batch's product each, until none is left. Each has its own part of the workspace (local memory, P, panels
 * of B and of A), so none waits for another: to fetch a panel from another processor's cache takes longer
 * than to pack it again.
 */
export function defineRun(
  module: Module,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
): void {
  const product = defineProduct(module, kernel, variant, epilogue);
  const prescale = kernel.a === "coded" || kernel.b === "coded" ? definePrescale(module) : null;
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, _threads, base, scratch) => {
    const layout = localLayout(variant);
    const [local, region, bPanels, aPanels] = Array.from({ length: 4 }, () => code.local("i32"));
    argument(code, base, "workspace").i32(layout.bytes);
    for (const word of ["product", "bPanels", "aPanels"] as const) argument(code, base, word).op("i32.add");
    code.get(thread).op("i32.mul").op("i32.add").tee(local).i32(layout.bytes).op("i32.add").tee(region);
    argument(code, base, "product").op("i32.add").tee(bPanels);
    argument(code, base, "bPanels").op("i32.add").set(aPanels);
    if (prescale && kernel.a === "coded") callPrescale(code, base, local, prescale, layout.aTable, "a");
    if (prescale && kernel.b === "coded") callPrescale(code, base, local, prescale, layout.bTable, "b");
    takeItems(code, base, product, [aPanels, bPanels, region, local, scratch]);
  });
}

/** Claims items one by one; `memory` is what `product` takes last. Item = (batch · rowSplits + row range) · columnSplits + column range. */
export function takeItems(code: Code, base: Local, product: Callee, memory: readonly Local[]): void {
  const locals = Array.from({ length: 6 }, () => code.local("i32"));
  const [item, rest, firstRow, endRow, firstColumn, endColumn] = locals;
  const range = (index: () => Code, width: Word, limit: Word, first: Local, end: Local) => {
    argument(index(), base, width).op("i32.mul").tee(first);
    argument(code, base, width).op("i32.add").tee(end);
    argument(code, base, limit).get(end);
    argument(code, base, limit).op("i32.lt_s").op("select").set(end);
  };
  const splits = (from: Local, by: Word, op: "i32.rem_u" | "i32.div_u") =>
    argument(code.get(from), base, by).op(op);
  code.while(
    () => {
      code.get(base).i32(1).memory("i32.atomic.rmw.add", WORD.nextItem * 4).tee(item);
      argument(code, base, "items").op("i32.lt_s");
    },
    () => {
      range(() => splits(item, "columnSplits", "i32.rem_u"), "splitColumns", "n", firstColumn, endColumn);
      splits(item, "columnSplits", "i32.div_u").set(rest);
      range(() => splits(rest, "rowSplits", "i32.rem_u"), "splitRows", "m", firstRow, endRow);
      code.get(base);
      splits(rest, "rowSplits", "i32.div_u").get(firstRow).get(endRow).get(firstColumn).get(endColumn);
      for (const address of memory) code.get(address);
      code.call(product);
    },
  );
} // prettier-ignore

/** Defines `prescale(table, scale, to)`: 256 values times one scale. */
export function definePrescale(module: Module): Callee {
  return module.function(["i32", "i32", "i32"], [], null, (code, table, scale, to) => {
    const factor = code.local("v128");
    const end = code.local("i32");
    code.get(scale).memory("v128.load32_splat").set(factor);
    code.get(table).i32(1024).op("i32.add").set(end);
    code.loop(() => {
      code.get(to).get(table).memory("v128.load").get(factor).op("f32x4.mul").memory("v128.store");
      code.get(to).i32(16).op("i32.add").set(to);
      code.get(table).i32(16).op("i32.add").tee(table).get(end).op("i32.ne").brIf(0);
    });
  });
}

/** The scaled table of an operand with one scale, for this thread; of use only then, and cheap. */
function callPrescale(
  code: Code,
  base: Local,
  local: Local,
  prescale: Callee,
  offset: number,
  operand: "a" | "b",
): void {
  argument(code, base, operand === "a" ? "aTable" : "bTable");
  argument(code, base, operand === "a" ? "aScale" : "bScale");
  code.get(local).i32(offset).op("i32.add").call(prescale);
}
