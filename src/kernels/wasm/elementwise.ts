/** The module of a kernel that stores outputs element by element: `pointwise`, and `gather` without accumulation. */
import type { Value } from "../program.ts";
import type { Inputs, Outputs } from "../signature.ts";
import { Module, type Callee, type Local } from "./assembler.ts";
import { Graph } from "./expression-graph.ts";
import { COLUMN, ROW } from "./expression-leaves.ts";
import { pushWord, wordLocal } from "./frame.ts";
import { callTouch, defineTouch } from "./touch.ts";
import { storageBytes } from "../program.ts";
import {
  blockPosition,
  frameOf,
  openInputs,
  openOutputs,
  readsRowIndex,
  walkOf,
  type Writing,
} from "./matrix-body.ts";
import { lowerStores, reachable, rootsOf, type Pass } from "./pass.ts";
import { writePass, type Walk } from "./pass-loop.ts";
import { CHUNK, pushMinimum, writeChunks, writeShare, type Range } from "./split.ts";
import type { Position } from "./streams.ts";

/** A lowered program over all elements. */
interface Body {
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  readonly graph: Graph;
  readonly pass: Pass;
  readonly gathers: boolean;
}

/**
 * Writes up to two functions over a range of elements: one that walks from row to row, and one that sees a flat array,
 * for kernels without rows and for matrices of one column.
 *
 * @param gathers whether there is an input `index` that `gathered` inputs follow.
 */
export function elementwiseModule(
  writing: Writing,
  inputs: Inputs,
  outputs: Outputs,
  gathers: boolean,
): Module {
  const module = new Module(writing.target);
  const lower = (singleColumn: boolean): Body => {
    const graph = new Graph({ inputs, stored: {}, singleColumn, wide: writing.target.revectorize });
    const pass: Pass = { stores: lowerStores(graph, outputs), reductions: [] };
    return { inputs, outputs, graph, pass, gathers };
  };
  const byRows = lower(false);
  if (isFlat(byRows)) {
    defineRun(module, writing, byRows, { flat: defineFlat(module, writing, byRows), rows: null });
    return module;
  }
  const rows = defineRows(module, writing, byRows);
  const flat = defineFlat(module, writing, lower(true));
  defineRun(module, writing, byRows, { flat, rows });
  return module;
}

/** Whether nothing in a kernel depends on its rows or its columns. */
function isFlat({ graph, inputs, pass, gathers }: Body): boolean {
  const partial = (value: Value) => {
    if (value.node.kind === "input" && inputs[value.node.name].access === "block") return true;
    const dependence = graph.dependence(value);
    return dependence === ROW || dependence === COLUMN;
  };
  return !gathers && ![...reachable(rootsOf(pass))].some(partial);
}

/** (arguments, constants, start, end, scratch), in elements. */
function defineFlat(module: Module, writing: Writing, body: Body): Callee {
  const parameters = ["i32", "i32", "i32", "i32", "i32"] as const;
  return module.function(parameters, [], null, (code, words, constants, start, end, scratch) => {
    const walk = walkOf({ ...frameOf(writing, code, words, constants), scratch }, body.graph);
    openInputs(walk, flatInputs(body.inputs), rootsOf(body.pass));
    openOutputs(walk, body.outputs, "element");
    walk.emitter.hoist(rootsOf(body.pass), 0);
    const count = code.local("i32");
    code.get(end).get(start).op("i32.sub").set(count);
    writePass(walk, body.pass, { element: start }, count);
  });
}

/** In a matrix of one column, `row` inputs are walked through as elements are. */
function flatInputs(inputs: Inputs): Inputs {
  const flat = (access: string) => access === "element" || access === "row";
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { storage, access }]) =>
      flat(access) ? [[name, { storage, access: "element" as const }]] : [],
    ),
  );
}

/** The same over a range that may begin and end within a row. */
function defineRows(module: Module, writing: Writing, body: Body): Callee {
  return module.function(["i32", "i32", "i32", "i32"], [], null, (code, words, constants, start, end) => {
    const walk = walkOf(frameOf(writing, code, words, constants), body.graph);
    const roots = rootsOf(body.pass);
    openInputs(walk, body.inputs, roots);
    openOutputs(walk, body.outputs, "element");
    walk.emitter.hoist(roots, 0);
    writeRowWalk(walk, body, { start, end });
  });
}

function writeRowWalk(walk: Walk, body: Body, { start, end }: Range): void {
  const { frame } = walk.emitter;
  const { code } = frame;
  const columns = wordLocal(frame, "size:columns");
  const index = body.gathers ? wordLocal(frame, "input:index") : null;
  const block = readsRowIndex(rootsOf(body.pass)) ? wordLocal(frame, "size:block") : null;
  const [row, column, count, rest] = [0, 1, 2, 3].map(() => code.local("i32"));
  const blockAt = blockPosition(walk, body.inputs);
  walk.emitter.rowNumber = { row, block };
  code.get(start).get(columns).op("i32.div_u").set(row);
  code.get(start).get(row).get(columns).op("i32.mul").op("i32.sub").set(column);
  code.while(
    () => code.get(start).get(end).op("i32.lt_u"),
    () => {
      code.get(columns).get(column).op("i32.sub").set(count);
      code.get(end).get(start).op("i32.sub").set(rest);
      pushMinimum(code, count, rest).set(count);
      const position: Position = {
        element: start,
        column,
        ...(blockAt && { block: blockAt(row, column) }),
      };
      const gathered = index ? writeGathered(walk, index, row, columns, column) : null;
      writePass(walk, body.pass, gathered ? { ...position, gathered } : position, count);
      code.get(start).get(count).op("i32.add").set(start);
      code.get(row).i32(1).op("i32.add").set(row);
      code.i32(0).set(column);
    },
  );
}

/** index[row] · columns + column. */
export function writeGathered(
  { emitter }: Walk,
  index: Local,
  row: Local,
  columns: Local,
  column: Local,
): Local {
  const { code } = emitter.frame;
  const gathered = code.local("i32");
  code.get(index).get(row).i32(2).op("i32.shl").op("i32.add").memory("i32.load"); // prettier-ignore
  code.get(columns).op("i32.mul").get(column).op("i32.add").set(gathered);
  return gathered;
}

interface Bodies {
  readonly flat: Callee;
  readonly rows: Callee | null;
}

function defineRun(module: Module, writing: Writing, body: Body, { flat, rows }: Bodies): void {
  const touch = defineTouch(module);
  const fetched = fetchedInputs(body);
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, threads, words, scratch) => {
    const constants = code.local("i32");
    const size = code.local("i32");
    code.get(words).memory("i32.load").set(constants);
    code.i32(CHUNK).set(size);
    const frame = frameOf(writing, code, words, constants);
    const share = writeShare(code, thread, threads, wordLocal(frame, "size:total"), 64);
    const pushChunk = (chunk: Range) => code.get(words).get(constants).get(chunk.start).get(chunk.end);
    const callFlat = (chunk: Range) => pushChunk(chunk).get(scratch).call(flat);
    const single = rows ? writeSingleColumn(writing, frame) : null;
    writeChunks(code, share, size, (chunk) => {
      for (const { name, bytes } of fetched)
        callTouch(code, touch, () => pushWord(frame, `input:${name}`), bytes, chunk, scratch);
      if (rows && single)
        code.get(single).if(
          () => callFlat(chunk),
          () => pushChunk(chunk).call(rows),
        );
      else callFlat(chunk);
    });
  });
}

/** From here on a kernel computes longer than its loads take, but keeps the processor from looking ahead. */
const LONG = 64;

/** Inputs that are fetched ahead, chunk by chunk. */
function fetchedInputs({ inputs, pass }: Body): { name: string; bytes: number }[] {
  if (reachable(rootsOf(pass)).size < LONG) return [];
  const elements = Object.entries(inputs).filter(([, { access }]) => access === "element");
  return elements.map(([name, { storage }]) => ({ name, bytes: storageBytes[storage] }));
}

/** Whether there is one column and one outer block, so that a row's number is its element's. */
function writeSingleColumn(writing: Writing, frame: ReturnType<typeof frameOf>): Local {
  const { code } = frame;
  const single = code.local("i32");
  const word = (name: string) => code.get(frame.words).memory("i32.load", 4 * writing.layout.slot(name));
  word("size:columns").i32(1).op("i32.eq");
  word("size:total");
  word("size:block").op("i32.eq").op("i32.and").set(single);
  return single;
}
