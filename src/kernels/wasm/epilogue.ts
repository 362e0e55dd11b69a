/** The epilogue of a `gemm`: a pointwise program over a finished tile of products. */
import type { BufferSlice, Call } from "../backend.ts";
import type { GemmKernel } from "../gemm.ts";
import type { MxGemmKernel } from "../mx-gemm.ts";
import { ArgumentLayout } from "./argument-layout.ts";
import type { Callee, Local, Module } from "./assembler.ts";
import { ConstantPool } from "./constants.ts";
import { Graph } from "./expression-graph.ts";
import type { Arguments, Target } from "./lowering.ts";
import { frameOf, openInputs, openOutputs, walkOf } from "./matrix-body.ts";
import { lowerStores, rootsOf, type Pass } from "./pass.ts";
import { writePass } from "./pass-loop.ts";

/**
 * A function of a gemm's module,
 *
 *   (arguments, firstWordAddress, constantsAddress, scratch,
 *    p, pStride, elementOffset, elementStride, row, column, rows, columns)
 *
 * all i32. It reads the tile P (f32, its rows `pStride` bytes apart, from address `p`), evaluates the kernel's outputs
 * and stores them. `elementOffset` is where the tile's first element lies in every buffer laid out as C, and
 * `elementStride` how far apart C's rows are, both in elements; `row` and `column` are its place in the batch's
 * matrix. P may lie where an output does.
 */
export interface EpilogueFunction {
  readonly callee: Callee;
  /** Read-only data whose address is `constantsAddress`, 16-byte aligned. */
  readonly constants: Uint8Array;
  /** Words of the argument block it wants, from a first one on, whose address is `firstWordAddress`. */
  readonly words: number;
  encode(call: Call, address: (slice: BufferSlice) => number, target: Arguments, firstWord: number): void;
}

/** Defines the epilogue of a kernel in a module. */
export function defineEpilogue(
  module: Module,
  kernel: GemmKernel | MxGemmKernel,
  target: Target,
): EpilogueFunction {
  const { inputs, outputs, uniforms } = kernel;
  const layout = new ArgumentLayout(
    { sizes: [], uniforms, inputs: Object.keys(inputs), outputs: Object.keys(outputs) },
    0,
  );
  const graph = new Graph({ inputs, stored: {}, wide: target.revectorize });
  const pass: Pass = { stores: lowerStores(graph, outputs), reductions: [] };
  const pool = new ConstantPool();
  const callee = module.function(Array(12).fill("i32"), [], null, (code, ...parameters) => {
    const [, words, constants, , p, pStride, element, elementStride, row, column, rows, columns] = parameters;
    const walk = walkOf(frameOf({ target, pool, layout }, code, words, constants), graph);
    openInputs(walk, inputs, rootsOf(pass));
    openOutputs(walk, outputs, "element");
    walk.streams.open("product", "f32", "start", p);
    walk.emitter.rowNumber = { row, block: null };
    walk.emitter.hoist(rootsOf(pass), 0);
    const add = (local: Local, by: Local) => code.get(local).get(by).op("i32.add").set(local);
    code.while(
      () => code.get(rows),
      () => {
        writePass(walk, pass, { element, column }, columns);
        add(p, pStride);
        add(element, elementStride);
        code.get(row).i32(1).op("i32.add").set(row);
        code.get(rows).i32(1).op("i32.sub").set(rows);
      },
    );
  });
  return {
    callee,
    constants: pool.bytes(),
    words: layout.words,
    encode: (call, address, words, firstWord) => layout.encode(call, address, words, {}, firstWord),
  };
}
