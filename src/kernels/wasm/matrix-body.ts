/** What the shapes over a [rows, columns] view share: a frame, its streams, and a walk along rows. */
import type { Value } from "../program.ts";
import type { Access, Inputs, Outputs } from "../signature.ts";
import type { ArgumentLayout } from "./argument-layout.ts";
import type { Code, Local } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { Emitter } from "./expression.ts";
import type { Graph } from "./expression-graph.ts";
import { wordLocal, type Frame } from "./frame.ts";
import type { Target } from "./lowering.ts";
import { reachable } from "./pass.ts";
import type { Walk } from "./pass-loop.ts";
import { Streams, type Origin } from "./streams.ts";

/** One kernel being written: what all of its functions share. */
export interface Writing {
  readonly target: Target;
  readonly pool: ConstantPool;
  readonly layout: ArgumentLayout;
}

/** The locals that tell a function where it works. */
export const frameOf = (writing: Writing, code: Code, words: Local, constants: Local): Frame => ({
  ...writing,
  code,
  words,
  constants,
});

/** An emitter and no streams yet. */
export const walkOf = (frame: Frame, graph: Graph): Walk => ({
  emitter: new Emitter(frame, graph),
  streams: new Streams(frame.code),
});

/** How the streams of each access are counted; the other accesses are no streams. */
const ORIGIN: Readonly<Partial<Record<Access, Origin>>> = {
  element: "element",
  column: "column",
  block: "block",
  gathered: "gathered",
};

/** Opens a stream for each input that is read column by column. */
export function openInputs({ emitter, streams }: Walk, inputs: Inputs, roots: readonly Value[]): void {
  const read = new Set(
    [...reachable(roots)].flatMap(({ node }) => (node.kind === "input" ? [node.name] : [])),
  );
  for (const [name, { storage, access }] of Object.entries(inputs)) {
    const origin = ORIGIN[access];
    if (origin && read.has(name))
      streams.open(`input:${name}`, storage, origin, wordLocal(emitter.frame, `input:${name}`));
  }
}

/** number of the row's outer block · columns + column, where some input is counted so; null where none is. */
export function blockPosition({ emitter }: Walk, inputs: Inputs): BlockPosition | null {
  if (!Object.values(inputs).some(({ access }) => access === "block")) return null;
  const { frame } = emitter;
  const rows = wordLocal(frame, "size:block");
  const columns = wordLocal(frame, "size:columns");
  const block = frame.code.local("i32");
  return (row, column) => {
    frame.code.get(row).get(rows).op("i32.div_u").get(columns).op("i32.mul");
    if (column) frame.code.get(column).op("i32.add");
    frame.code.set(block);
    return block;
  };
}

/** Writes the code that finds the position of a row and a column (null: the first). */
export type BlockPosition = (row: Local, column: Local | null) => Local;

/** Opens a stream for each output. */
export function openOutputs({ emitter, streams }: Walk, outputs: Outputs, origin: Origin): void {
  for (const [name, { storage }] of Object.entries(outputs))
    streams.open(`output:${name}`, storage, origin, wordLocal(emitter.frame, `output:${name}`));
}

/** Whether a value reads the number of its row. */
export const readsRowIndex = (roots: readonly Value[]): boolean =>
  [...reachable(roots)].some(({ node }) => node.kind === "index" && node.axis === "row");
