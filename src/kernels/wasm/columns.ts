/** Lowers `columns` kernels: rows are added, one after another, to a strip of accumulators in scratch memory. */
import type { ColumnsKernel } from "../columns.ts";
import { constant, reduced, stored, type StorageType, type Value } from "../program.ts";
import { ArgumentLayout, matrixSizes } from "./argument-layout.ts";
import { Module, type Callee, type Code, type Local } from "./assembler.ts";
import { ConstantPool } from "./constants.ts";
import { estimate } from "./cost.ts";
import { Graph } from "./expression-graph.ts";
import { wordLocal } from "./frame.ts";
import { SCRATCH_BYTES, type Lowering, type Target } from "./lowering.ts";
import { frameOf, openInputs, openOutputs, readsRowIndex, walkOf, type Writing } from "./matrix-body.ts";
import { lowerStored, lowerStores, rootsOf, type Pass } from "./pass.ts";
import { IDENTITY } from "./pass-reduction.ts";
import { writePass, type Walk } from "./pass-loop.ts";
import { writeChunks, writeRowChunks, writeShare, type Range } from "./split.ts";

/** The accumulators' name among the outputs; no output of the kernel's own can have it. */
const accumulator = (name: string): string => `reduction of ${name}`;

interface Body {
  readonly kernel: ColumnsKernel;
  readonly graph: Graph;
  readonly start: Pass;
  readonly add: Pass;
  readonly finish: Pass;
}

/** Threads share the columns, in multiples of 16; each goes through all outer blocks, rows in ascending order. */
export const lowerColumns: Lowering<ColumnsKernel> = (kernel, target) => {
  const pool = new ConstantPool();
  const layout = new ArgumentLayout({
    sizes: ["outer", "rows", "columns", "block"],
    uniforms: kernel.uniforms,
    inputs: Object.keys(kernel.inputs),
    outputs: Object.keys(kernel.outputs),
  });
  const body = lowerBody(kernel, target);
  const module = new Module(target);
  const writing = { target, pool, layout };
  defineRun(module, writing, {
    start: defineStrip(module, writing, body, body.start),
    add: defineStrip(module, writing, body, body.add),
    finish: defineStrip(module, writing, body, body.finish),
    strip: stripColumns(kernel),
  });
  const time = estimate(rootsOf(body.add), kernel.inputs, {});
  return {
    module: module.encode(),
    constants: pool.bytes(),
    encode: (call, address, words) => layout.encode(call, address, words, matrixSizes(call)),
    cost: (call) => {
      const { total, rows } = matrixSizes(call);
      return time(total, rows);
    },
  };
};

/** Columns whose accumulators fit in the scratch memory. */
function stripColumns({ reduce }: ColumnsKernel): number {
  const each = SCRATCH_BYTES / 4 / Math.max(1, Object.keys(reduce).length);
  return Math.min(4096, Math.floor(each / 16) * 16);
}

function lowerBody(kernel: ColumnsKernel, target: Target): Body {
  const reductions = Object.entries(kernel.reduce);
  const storages = reductions.map(([name]): [string, StorageType] => [accumulator(name), "f32"]);
  const graph = new Graph({
    inputs: kernel.inputs,
    stored: Object.fromEntries(storages),
    wide: target.revectorize,
    reductionOf: (name) => stored(accumulator(name), "f32"),
  });
  const pass = (value: (name: string) => Value): Pass => ({
    stores: reductions.map(([name]) => ({
      stream: `output:${accumulator(name)}`,
      value: lowerStored(graph, "f32", value(name)),
    })),
    reductions: [],
  });
  return {
    kernel,
    graph,
    start: pass((name) => constant("f32", IDENTITY[kernel.reduce[name].op])),
    add: pass((name) => accumulate(kernel, name)),
    finish: { stores: lowerStores(graph, kernel.outputs), reductions: [] },
  };
}

function accumulate({ reduce }: ColumnsKernel, name: string): Value {
  const { op, value } = reduce[name];
  const sum = reduced(name);
  return op === "sum" ? sum.add(value) : op === "max" ? sum.max(value) : sum.min(value);
}

/** (arguments, constants, scratch, first column, columns, outer block, first row, end): one pass over each row of a strip. */
function defineStrip(module: Module, writing: Writing, body: Body, pass: Pass): Callee {
  const parameters = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const;
  return module.function(
    parameters,
    [],
    null,
    (code, words, constants, scratch, column, count, outer, row, end) => {
      const walk = walkOf(frameOf(writing, code, words, constants), body.graph);
      const roots = rootsOf(pass);
      openInputs(walk, body.kernel.inputs, roots);
      openOutputs(walk, body.kernel.outputs, "block");
      openAccumulators(walk, body.kernel, scratch);
      const { frame } = walk.emitter;
      walk.emitter.rowNumber = { row, block: readsRowIndex(roots) ? wordLocal(frame, "size:block") : null };
      walk.emitter.hoist(roots, 0);
      const columns = wordLocal(frame, "size:columns");
      const block = code.local("i32");
      code.get(outer).get(columns).op("i32.mul").get(column).op("i32.add").set(block);
      const element = code.local("i32");
      code.while(
        () => code.get(row).get(end).op("i32.lt_u"),
        () => {
          code.get(row).get(columns).op("i32.mul").get(column).op("i32.add").set(element);
          writePass(walk, pass, { element, column, block }, count);
          code.get(row).i32(1).op("i32.add").set(row);
        },
      );
    },
  );
}

function openAccumulators({ emitter, streams }: Walk, kernel: ColumnsKernel, scratch: Local): void {
  const { code } = emitter.frame;
  Object.keys(kernel.reduce).forEach((name, i) => {
    const base = code.local("i32");
    code.get(scratch).i32(i * stripColumns(kernel) * 4).op("i32.add").set(base); // prettier-ignore
    streams.open(`output:${accumulator(name)}`, "f32", "start", base);
  });
}

interface Passes {
  readonly start: Callee;
  readonly add: Callee;
  readonly finish: Callee;
  readonly strip: number;
}

function defineRun(module: Module, writing: Writing, { start, add, finish, strip }: Passes): void {
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, threads, words, scratch) => {
    const constants = code.local("i32");
    code.get(words).memory("i32.load").set(constants);
    const frame = frameOf(writing, code, words, constants);
    const share = writeShare(code, thread, threads, wordLocal(frame, "size:columns"), 16);
    const [blocks, block] = [wordLocal(frame, "size:outer"), wordLocal(frame, "size:block")];
    const width = code.local("i32");
    const count = code.local("i32");
    const outer = code.local("i32");
    const first = code.local("i32");
    const call = (pass: Callee, rows: () => Code) => {
      code.get(words).get(constants).get(scratch).get(share.start).get(count).get(outer);
      rows().call(pass);
    };
    const once = () => code.i32(0).i32(1);
    code.i32(strip).set(width);
    writeChunks(code, share, width, (chunk) => {
      code.get(chunk.end).get(chunk.start).op("i32.sub").set(count);
      code.i32(0).set(outer);
      code.i32(0).set(first);
      code.while(
        () => code.get(outer).get(blocks).op("i32.lt_u"),
        () => {
          call(start, once);
          const pushEnd = () => code.get(first).get(block).op("i32.add");
          const addRows = (rows: Range) => call(add, () => code.get(rows.start).get(rows.end));
          writeRowChunks(code, count, pushEnd, addRows, first);
          call(finish, once);
          code.get(first).get(block).op("i32.add").set(first);
          code.get(outer).i32(1).op("i32.add").set(outer);
        },
      );
    });
  });
}
