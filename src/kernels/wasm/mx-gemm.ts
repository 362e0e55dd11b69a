/** The `mx-gemm` shape in WebAssembly. */
import type { BufferSlice, Call } from "../backend.ts";
import type { MxGemmKernel, MxGemmSizes, MxOperand } from "../mx-gemm.ts";
import { Module } from "./assembler.ts";
import type { Candidate } from "./calibrate.ts";
import { ConstantPool } from "./constants.ts";
import { defineEpilogue } from "./epilogue.ts";
import { encodeTables, WORD, type Word } from "./gemm-arguments.ts";
import { inPlace } from "./gemm-plan.ts";
import type { Arguments, Lowering } from "./lowering.ts";
import type { MxCalibration } from "./mx-calibrate.ts";
import { methodsOf, mxPlan, mxWorkspaceBytes, shapeOf, type MxPlan } from "./mx-plan.ts";
import { defineMxRun } from "./mx-product.ts";

/**
 * Makes the lowering of mx-gemm. Elements that are small integers go through micro-kernels of integers,
 * others through the float32 one; both operands become panels while they are quantised or decoded, and
 * nothing else.
 */
export function mxGemmLowering(calibration: MxCalibration, float: Candidate): Lowering<MxGemmKernel> {
  return (kernel, target) => {
    const methods = methodsOf(kernel, target.relaxedSimd);
    const integer = methods.length > 0 ? calibration.choose(methods) : null;
    const shape = shapeOf(kernel, integer?.variant ?? null, float.variant);
    const { gflops } = integer ?? float;
    const module = new Module({ maximumPages: target.maximumPages, shared: target.shared });
    const epilogue = kernel.plain ? null : defineEpilogue(module, kernel, target);
    const pool = new ConstantPool();
    const own = epilogue?.constants ?? new Uint8Array(0);
    const poolOffset = Math.ceil(own.length / 16) * 16;
    defineMxRun(module, { kernel, shape, epilogue, pool, poolOffset });
    return {
      module: module.encode(),
      constants: joined(own, pool.bytes(), poolOffset),
      encode(call, address, to, threads) {
        encodeSizes(kernel, call, to, mxPlan(kernel, call, shape, threads));
        for (const name of ["a", "b"] as const) {
          encodeOperand(name, kernel[name], call, address, to);
          if (kernel[name].gathered) encodeTables(name, call, address, to);
        }
        to.words[WORD.p] = address(call.outputs.c ?? call.inputs.c) | 0;
        epilogue?.encode(call, address, to, WORD.epilogue);
      },
      cost({ sizes }) {
        const { m, n, k, outer = 1, inner = 1 } = sizes as MxGemmSizes;
        return outer * inner * ((2 * m * n * k) / (gflops * 1e3) + (m + n) * k * PACKING);
      },
      workspace: (call, threads) => mxWorkspaceBytes(mxPlan(kernel, call, shape, threads), shape, threads),
    };
  };
}

/** Microseconds to pack an element. */
const PACKING = 1e-3;

function joined(first: Uint8Array, second: Uint8Array, offset: number): Uint8Array {
  const all = new Uint8Array(offset + second.length);
  all.set(first);
  all.set(second, offset);
  return all;
}

function encodeSizes(kernel: MxGemmKernel, call: Call, { words }: Arguments, cut: MxPlan): void {
  const { m, n, k, c, outer = 1, inner = 1, accumulate } = call.sizes as MxGemmSizes;
  const values: Partial<Record<Word, number>> = {
    m, n, k, inner,
    items: outer * inner * cut.rowSplits * cut.columnSplits,
    pOuter: (c.outer ?? 0) * 4,
    pInner: (c.inner ?? 0) * 4,
    pRow: (inPlace(kernel, call) ? c.row : cut.splitColumns) * 4,
    elementOuter: c.outer ?? 0,
    elementInner: c.inner ?? 0,
    elementRow: c.row,
    accumulate: accumulate ? 1 : 0,
    ...cut,
    nextItem: 0,
  }; // prettier-ignore
  for (const [word, value] of Object.entries(values)) words[WORD[word as Word]] = value;
}

const OPERAND_WORDS = {
  a: {
    at: "a", outer: "aOuter", inner: "aInner", row: "aRow", column: "aDeep",
    scale: "aScale", scaleOuter: "aScaleOuter", scaleInner: "aScaleInner",
    scaleRow: "aScaleRow", scaleColumn: "aScaleDeep",
  },
  b: {
    at: "b", outer: "bOuter", inner: "bInner", row: "bDeep", column: "bColumn",
    scale: "bScale", scaleOuter: "bScaleOuter", scaleInner: "bScaleInner",
    scaleRow: "bScaleDeep", scaleColumn: "bScaleColumn",
  },
} as const satisfies Record<"a" | "b", Record<string, Word>>; // prettier-ignore

function encodeOperand(
  name: "a" | "b",
  { source }: MxOperand,
  call: Call,
  address: (slice: BufferSlice) => number,
  { words }: Arguments,
): void {
  const to = OPERAND_WORDS[name];
  const strides = (call.sizes as MxGemmSizes)[name];
  const bytes = source === "f32" ? 4 : 1;
  const scaled = source === "codes";
  words[WORD[to.at]] = address(call.inputs[name]) | 0;
  words[WORD[to.outer]] = (strides.outer ?? 0) * bytes;
  words[WORD[to.inner]] = (strides.inner ?? 0) * bytes;
  words[WORD[to.row]] = strides.row * bytes;
  words[WORD[to.column]] = strides.column * bytes;
  words[WORD[to.scale]] = scaled ? address(call.inputs[`${name}Scale`]) | 0 : 0;
  for (const key of ["scaleOuter", "scaleInner", "scaleRow", "scaleColumn"] as const)
    words[WORD[to[key]]] = scaled ? (strides[key] ?? 0) : 0;
}
