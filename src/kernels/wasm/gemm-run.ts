/** What a thread does with a whole gemm: its workspace, and which products or parts of products it takes. */
import type { GemmKernel } from "../gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { EpilogueFunction } from "./epilogue.ts";
import { WORD, argument } from "./gemm-arguments.ts";
import type { Variant } from "./gemm-micro.ts";
import { localLayout } from "./gemm-plan.ts";
import { defineProduct } from "./gemm-product.ts";

/**
 * Defines the exported `run(thread, threads, arguments, scratch)`.
 *
 * The workspace: each thread's local memory; then, shared, P, two halves of B's panels, each thread's panels of A; or,
 * not shared, for each thread P, B's panels, A's panels.
 */
export function defineRun(
  module: Module,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
): void {
  const product = defineProduct(module, kernel, variant, epilogue);
  const prescale = kernel.a === "coded" || kernel.b === "coded" ? definePrescale(module) : null;
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, threads, base, scratch) => {
    const layout = localLayout(variant);
    const local = code.local("i32");
    argument(code, base, "workspace").get(thread).i32(layout.bytes).op("i32.mul").op("i32.add").set(local);
    if (prescale && kernel.a === "coded") callPrescale(code, base, local, prescale, layout.aTable, "a");
    if (prescale && kernel.b === "coded") callPrescale(code, base, local, prescale, layout.bTable, "b");
    const region = code.local("i32");
    argument(code, base, "workspace").get(threads).i32(layout.bytes).op("i32.mul").op("i32.add").set(region);
    const team: Common = { code, product, thread, threads, base, scratch, local, region };
    argument(code, base, "shared").if(
      () => runShared(team),
      () => runItems(team),
    );
  });
}

interface Common {
  readonly code: Code;
  readonly product: Callee;
  readonly thread: Local;
  readonly threads: Local;
  readonly base: Local;
  readonly scratch: Local;
  readonly local: Local;
  /** Where the workspace goes on after the threads' local memories. */
  readonly region: Local;
}

/** All threads, one product after the other. */
function runShared({ code, product, thread, threads, base, scratch, local, region }: Common): void {
  const batch = code.local("i32");
  const parity = code.local("i32");
  const aPanels = code.local("i32");
  const bPanels = code.local("i32");
  code.get(region);
  argument(code, base, "product").op("i32.add").tee(bPanels);
  argument(code, base, "bPanels").i32(1).op("i32.shl").op("i32.add").get(thread);
  argument(code, base, "aPanels").op("i32.mul").op("i32.add").set(aPanels);
  code.while(
    () => argument(code.get(batch), base, "batches").op("i32.lt_s"),
    () => {
      code.get(base).get(batch).i32(0);
      argument(code, base, "n").get(thread).get(threads).get(aPanels).get(bPanels).get(region);
      code.get(local).get(scratch).get(parity).call(product).set(parity);
      code.get(batch).i32(1).op("i32.add").set(batch);
    },
  );
}

/** Each thread takes items (a column range of a product) until none is left. */
function runItems({ code, product, thread, base, scratch, local, region }: Common): void {
  const item = code.local("i32");
  const first = code.local("i32");
  const end = code.local("i32");
  const aPanels = code.local("i32");
  const bPanels = code.local("i32");
  code.get(region);
  argument(code, base, "product");
  argument(code, base, "aPanels").op("i32.add");
  argument(code, base, "bPanels").op("i32.add").get(thread).op("i32.mul").op("i32.add").tee(region);
  argument(code, base, "product").op("i32.add").tee(bPanels);
  argument(code, base, "bPanels").op("i32.add").set(aPanels);
  code.while(
    () => {
      code
        .get(base)
        .i32(1)
        .memory("i32.atomic.rmw.add", WORD.nextItem * 4)
        .tee(item);
      argument(code, base, "batches");
      argument(code, base, "splits").op("i32.mul").op("i32.lt_s");
    },
    () => {
      code.get(item);
      argument(code, base, "splits").op("i32.rem_u");
      argument(code, base, "splitColumns").op("i32.mul").tee(first);
      argument(code, base, "splitColumns").op("i32.add").set(end);
      code.get(end);
      argument(code, base, "n").get(end);
      argument(code, base, "n").op("i32.lt_s").op("select").set(end);
      code.get(base).get(item);
      argument(code, base, "splits").op("i32.div_u").get(first).get(end).i32(0).i32(1);
      code.get(aPanels).get(bPanels).get(region).get(local).get(scratch).i32(0).call(product).op("drop");
    },
  );
}

/** Defines `prescale(table, scale, to)`: 256 values times one scale. */
function definePrescale(module: Module): Callee {
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
