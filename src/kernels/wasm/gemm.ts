/** The `gemm` shape in WebAssembly. */
import type { BufferSlice, Call } from "../backend.ts";
import type { GemmKernel, GemmOperand, GemmSizes, GemmStrides } from "../gemm.ts";
import { Module } from "./assembler.ts";
import { defineEpilogue, type EpilogueFunction } from "./epilogue.ts";
import { encodeTables, WORD, type Word } from "./gemm-arguments.ts";
import type { Variant } from "./gemm-micro.ts";
import { inPlace, plan, workspaceBytes, type Plan } from "./gemm-plan.ts";
import { defineRun } from "./gemm-run.ts";
import type { Arguments, Lowered, Lowering } from "./lowering.ts";

/**
 * Makes the lowering of gemm for a micro-kernel.
 *
 * Packed panels, blocks of 256 in K and 512 in N; threads take whole products of a batch, or rectangles of
 * one. A sum runs over k ascending within a block of 256, blocks are added in order, whatever the plan:
 * results depend neither on threads nor on the other blocks, and all fused micro-kernels agree bit for bit.
 *
 * @param gflops  measured rate of the micro-kernel on one thread, for `cost`.
 */
export function gemmLowering(variant: Variant, gflops: number): Lowering<GemmKernel> {
  return (kernel, target) => {
    const module = new Module({ maximumPages: target.maximumPages, shared: target.shared });
    const epilogue = kernel.plain ? null : defineEpilogue(module, kernel, target);
    defineRun(module, kernel, variant, epilogue);
    return lowered(module.encode(), kernel, variant, epilogue, gflops);
  };
}

/** Microseconds to pack or read an element. */
const PACKING = 0.3e-3;

function lowered(
  module: Uint8Array<ArrayBuffer>,
  kernel: GemmKernel,
  variant: Variant,
  epilogue: EpilogueFunction | null,
  gflops: number,
): Lowered {
  return {
    module,
    constants: epilogue?.constants ?? new Uint8Array(0),
    encode(call, address, target, threads) {
      const cut = plan(kernel, call, variant, threads);
      encodeSizes(kernel, call, target, cut);
      encodePlan(target, cut);
      encodeOperand("a", kernel.a, call, address, target);
      encodeOperand("b", kernel.b, call, address, target);
      target.words[WORD.p] = address(call.outputs.c ?? call.inputs.c) | 0;
      epilogue?.encode(call, address, target, WORD.epilogue);
    },
    cost({ sizes }) {
      const { m, n, k, outer = 1, inner = 1 } = sizes as GemmSizes;
      return outer * inner * ((2 * m * n * k) / (gflops * 1e3) + (m + n) * k * PACKING);
    },
    workspace: (call, threads) => workspaceBytes(plan(kernel, call, variant, threads), variant, threads),
  };
}

function encodeSizes(kernel: GemmKernel, call: Call, { words }: Arguments, cut: Plan): void {
  const sizes = call.sizes as GemmSizes;
  const { c } = sizes;
  words[WORD.m] = sizes.m;
  words[WORD.n] = sizes.n;
  words[WORD.k] = sizes.k;
  words[WORD.inner] = sizes.inner ?? 1;
  words[WORD.items] = (sizes.outer ?? 1) * (sizes.inner ?? 1) * cut.rowSplits * cut.columnSplits;
  words[WORD.pOuter] = (c.outer ?? 0) * 4;
  words[WORD.pInner] = (c.inner ?? 0) * 4;
  words[WORD.pRow] = (inPlace(kernel, call) ? c.row : cut.splitColumns) * 4;
  words[WORD.elementOuter] = c.outer ?? 0;
  words[WORD.elementInner] = c.inner ?? 0;
  words[WORD.elementRow] = c.row;
  words[WORD.accumulate] = sizes.accumulate ? 1 : 0;
}

function encodePlan({ words }: Arguments, cut: Plan): void {
  words[WORD.rowSplits] = cut.rowSplits;
  words[WORD.splitRows] = cut.splitRows;
  words[WORD.columnSplits] = cut.columnSplits;
  words[WORD.splitColumns] = cut.splitColumns;
  words[WORD.blockRows] = cut.blockRows;
  words[WORD.blockColumns] = cut.blockColumns;
  words[WORD.aDirect] = cut.aDirect ? 1 : 0;
  words[WORD.bDirect] = cut.bDirect ? 1 : 0;
  words[WORD.aPanels] = cut.aPanels;
  words[WORD.bPanels] = cut.bPanels;
  words[WORD.product] = cut.product;
  words[WORD.nextItem] = 0;
}

const A_WORDS = {
  at: "a", outer: "aOuter", inner: "aInner", row: "aRow", column: "aDeep",
  table: "aTable", scale: "aScale", scaleRow: "aScaleRow", scaleColumn: "aScaleDeep",
} as const satisfies Record<string, Word>; // prettier-ignore
const B_WORDS = {
  at: "b", outer: "bOuter", inner: "bInner", row: "bDeep", column: "bColumn",
  table: "bTable", scale: "bScale", scaleRow: "bScaleDeep", scaleColumn: "bScaleColumn",
} as const satisfies Record<string, Word>; // prettier-ignore

function encodeOperand(
  name: "a" | "b",
  kind: GemmOperand,
  call: Call,
  address: (slice: BufferSlice) => number,
  target: Arguments,
): void {
  const { words } = target;
  const to = name === "a" ? A_WORDS : B_WORDS;
  const strides: GemmStrides = (call.sizes as GemmSizes)[name];
  const bytes = kind === "coded" ? 1 : 4;
  words[WORD[to.at]] = address(call.inputs[name]) | 0;
  words[WORD[to.outer]] = (strides.outer ?? 0) * bytes;
  words[WORD[to.inner]] = (strides.inner ?? 0) * bytes;
  words[WORD[to.row]] = strides.row * bytes;
  words[WORD[to.column]] = strides.column * bytes;
  if (kind === "f32") return;
  if (kind === "gathered") {
    encodeTables(name, call, address, target);
    return;
  }
  words[WORD[to.table]] = address(call.inputs[`${name}Table`]) | 0;
  words[WORD[to.scale]] = address(call.inputs[`${name}Scale`]) | 0;
  words[WORD[to.scaleRow]] = (strides.scaleRow ?? 0) * 4;
  words[WORD[to.scaleColumn]] = (strides.scaleColumn ?? 0) * 4;
}
