/** Lowers `rows` kernels: all stages of a row in one function, row after row. */
import { reduced, storageBytes, type StorageType, type Value } from "../program.ts";
import type { RowsKernel, Stage } from "../rows.ts";
import type { Inputs, Output, Outputs } from "../signature.ts";
import { ArgumentLayout, matrixSizes } from "./argument-layout.ts";
import { Module, type Callee, type Local } from "./assembler.ts";
import { ConstantPool } from "./constants.ts";
import { estimate } from "./cost.ts";
import { Graph } from "./expression-graph.ts";
import { pushWord, wordLocal } from "./frame.ts";
import type { Lowering, Target } from "./lowering.ts";
import {
  blockPosition,
  frameOf,
  openInputs,
  openOutputs,
  readsRowIndex,
  walkOf,
  type BlockPosition,
  type Writing,
} from "./matrix-body.ts";
import { lowerReduced, lowerStores, rootsOf, type Pass, type Store } from "./pass.ts";
import { writePass, type Walk } from "./pass-loop.ts";
import { rowsPerChunk, writeChunks, writeShare } from "./split.ts";
import { storeLane } from "./streams.ts";
import { callTouch, defineTouch } from "./touch.ts";

/** A kernel's expressions, lowered into one graph. */
interface Body {
  readonly kernel: RowsKernel;
  readonly stored: Outputs;
  readonly graph: Graph;
  readonly passes: readonly Pass[];
  readonly perRow: readonly Store[];
}

/** Threads share the rows. A reduction's order depends on the number of columns alone. */
export const lowerRows: Lowering<RowsKernel> = (kernel, target) => {
  const body = lowerBody(kernel, target);
  const pool = new ConstantPool();
  const layout = new ArgumentLayout({
    sizes: ["rows", "columns", "block"],
    uniforms: kernel.uniforms,
    inputs: Object.keys(kernel.inputs),
    outputs: [...new Set([...Object.keys(body.stored), ...Object.keys(kernel.perRow)])],
  });
  const module = new Module(target);
  const writing = { target, pool, layout };
  defineRun(module, writing, defineRows(module, writing, body), kernel.inputs);
  const time = estimate(rootsOfBody(body), kernel.inputs, body.stored);
  return {
    module: module.encode(),
    constants: pool.bytes(),
    encode: (call, address, words) => layout.encode(call, address, words, matrixSizes(call)),
    cost: (call) => {
      const { total, rows } = matrixSizes(call);
      return time(total, rows * kernel.stages.length);
    },
  };
};

function lowerBody(kernel: RowsKernel, target: Target): Body {
  const entries = kernel.stages.flatMap((stage) => Object.entries(stage.store ?? {}));
  const stored: Record<string, Output> = Object.fromEntries(entries);
  const storages = entries.map(([name, { storage }]): [string, StorageType] => [name, storage]);
  const graph = new Graph({
    inputs: kernel.inputs,
    stored: Object.fromEntries(storages),
    wide: target.revectorize,
  });
  const passes = kernel.stages.map((stage) => lowerStage(graph, stage));
  return { kernel, stored, graph, passes, perRow: lowerStores(graph, kernel.perRow) };
}

function lowerStage(graph: Graph, { store = {}, reduce = {} }: Stage): Pass {
  const reductions = Object.entries(reduce).map(([name, { op, value }]) => ({
    op,
    result: graph.lower(reduced(name)),
    value: lowerReduced(graph, value),
  }));
  return { stores: lowerStores(graph, store), reductions };
}

const rootsOfBody = ({ passes, perRow }: Body): Value[] => [
  ...passes.flatMap(rootsOf),
  ...perRow.map(({ value }) => value),
];

/** (arguments, constants, first row, end). */
function defineRows(module: Module, writing: Writing, body: Body): Callee {
  return module.function(["i32", "i32", "i32", "i32"], [], null, (code, words, constants, row, end) => {
    const walk = walkOf(frameOf(writing, code, words, constants), body.graph);
    const { emitter } = walk;
    const roots = rootsOfBody(body);
    openInputs(walk, body.kernel.inputs, roots);
    openOutputs(walk, body.stored, "element");
    openOutputs(walk, body.kernel.perRow, "element");
    emitter.rowNumber = {
      row,
      block: readsRowIndex(roots) ? wordLocal(emitter.frame, "size:block") : null,
    };
    emitter.hoist(roots, 0);
    const blockAt = blockPosition(walk, body.kernel.inputs);
    const columns = wordLocal(emitter.frame, "size:columns");
    code.while(
      () => code.get(row).get(end).op("i32.lt_u"),
      () => {
        writeRow(walk, body, row, columns, blockAt);
        code.get(row).i32(1).op("i32.add").set(row);
      },
    );
  });
}

function writeRow(walk: Walk, body: Body, row: Local, columns: Local, blockAt: BlockPosition | null): void {
  const { code } = walk.emitter.frame;
  const element = code.local("i32");
  const column = code.local("i32");
  code.get(row).get(columns).op("i32.mul").set(element);
  const position = { element, column, ...(blockAt && { block: blockAt(row, null) }) };
  for (const pass of body.passes) writePass(walk, pass, position, columns);
  for (const { stream, value } of body.perRow) {
    const vector = walk.emitter.hold(value);
    const target = walk.streams.get(stream);
    walk.streams.seek([target], { element: row });
    storeLane(code, target, vector, 0);
  }
}

function defineRun(module: Module, writing: Writing, rows: Callee, inputs: Inputs): void {
  const touch = defineTouch(module);
  const fetched = Object.entries(inputs).filter(([, { access }]) => access === "element");
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, threads, words, scratch) => {
    const constants = code.local("i32");
    code.get(words).memory("i32.load").set(constants);
    const frame = frameOf(writing, code, words, constants);
    const share = writeShare(code, thread, threads, wordLocal(frame, "size:rows"), 1);
    const columns = wordLocal(frame, "size:columns");
    const size = rowsPerChunk(code, columns);
    const [from, to] = [code.local("i32"), code.local("i32")];
    writeChunks(code, share, size, ({ start, end }) => {
      code.get(start).get(columns).op("i32.mul").set(from).get(end).get(columns).op("i32.mul").set(to);
      for (const [name, { storage }] of fetched)
        callTouch(
          code,
          touch,
          () => pushWord(frame, `input:${name}`),
          storageBytes[storage],
          { start: from, end: to },
          scratch,
        );
      code.get(words).get(constants).get(start).get(end).call(rows);
    });
  });
}
