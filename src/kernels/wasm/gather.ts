/** Lowers `gather` kernels: rows taken or added by an index map. */
import type { GatherKernel } from "../gather.ts";
import { stored, type Value } from "../program.ts";
import type { Inputs, Outputs } from "../signature.ts";
import { ArgumentLayout, matrixSizes } from "./argument-layout.ts";
import { Module, type Callee } from "./assembler.ts";
import { ConstantPool } from "./constants.ts";
import { estimate } from "./cost.ts";
import { elementwiseModule, writeGathered } from "./elementwise.ts";
import { Graph } from "./expression-graph.ts";
import { pushWord, wordLocal } from "./frame.ts";
import type { Lowering } from "./lowering.ts";
import { frameOf, openInputs, openOutputs, walkOf, type Writing } from "./matrix-body.ts";
import { lowerStores, rootsOf, type Pass } from "./pass.ts";
import { writePass } from "./pass-loop.ts";
import { writeRowChunks, writeShare } from "./split.ts";

/**
 * Taking rows is split by elements among the threads; adding rows by columns, so that each thread adds all rows in
 * order and the sums do not depend on the number of threads.
 */
export const lowerGather: Lowering<GatherKernel> = (kernel, target) => {
  const inputs: Inputs = { ...kernel.inputs, index: { storage: "i32", access: "row" } };
  const pool = new ConstantPool();
  const layout = new ArgumentLayout({
    sizes: ["total", "rows", "columns", "block"],
    uniforms: kernel.uniforms,
    inputs: Object.keys(inputs),
    outputs: ["out"],
  });
  const writing = { target, pool, layout };
  const outputs = outputsOf(kernel);
  const adds = kernel.mode === "accumulate";
  const module = adds
    ? accumulateModule(writing, inputs, outputs)
    : elementwiseModule(writing, inputs, outputs, true);
  const time = estimate([outputs.out.value], kernel.inputs, outputs);
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

function outputsOf({ mode, out }: GatherKernel): Outputs {
  if (mode === "gather") return { out };
  const sum: Value = stored("out", out.storage).add(out.value);
  return { out: { storage: out.storage, value: sum } };
}

function accumulateModule(writing: Writing, inputs: Inputs, outputs: Outputs): Module {
  const module = new Module(writing.target);
  const graph = new Graph({ inputs, stored: { out: outputs.out.storage }, wide: writing.target.revectorize });
  const pass: Pass = { stores: lowerStores(graph, outputs), reductions: [] };
  defineRun(module, writing, defineStrip(module, writing, graph, pass, inputs, outputs));
  return module;
}

/** (arguments, constants, first column, columns, first row, end): adds a strip of some rows. */
function defineStrip(
  module: Module,
  writing: Writing,
  graph: Graph,
  pass: Pass,
  inputs: Inputs,
  outputs: Outputs,
): Callee {
  const parameters = ["i32", "i32", "i32", "i32", "i32", "i32"] as const;
  return module.function(parameters, [], null, (code, words, constants, column, count, row, end) => {
    const walk = walkOf(frameOf(writing, code, words, constants), graph);
    openInputs(walk, inputs, rootsOf(pass));
    openOutputs(walk, outputs, "gathered");
    walk.emitter.rowNumber = { row, block: null };
    walk.emitter.hoist(rootsOf(pass), 0);
    const columns = wordLocal(walk.emitter.frame, "size:columns");
    const index = wordLocal(walk.emitter.frame, "input:index");
    const element = code.local("i32");
    code.while(
      () => code.get(row).get(end).op("i32.lt_u"),
      () => {
        code.get(row).get(columns).op("i32.mul").get(column).op("i32.add").set(element);
        const gathered = writeGathered(walk, index, row, columns, column);
        writePass(walk, pass, { element, column, gathered }, count);
        code.get(row).i32(1).op("i32.add").set(row);
      },
    );
  });
}

function defineRun(module: Module, writing: Writing, strip: Callee): void {
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, threads, words) => {
    const constants = code.local("i32");
    const count = code.local("i32");
    code.get(words).memory("i32.load").set(constants);
    const frame = frameOf(writing, code, words, constants);
    const { start, end } = writeShare(code, thread, threads, wordLocal(frame, "size:columns"), 16);
    code.get(end).get(start).op("i32.sub").tee(count);
    code.if(() =>
      writeRowChunks(
        code,
        count,
        () => pushWord(frame, "size:rows"),
        (rows) => {
          code.get(words).get(constants).get(start).get(count).get(rows.start).get(rows.end).call(strip);
        },
      ),
    );
  });
}
