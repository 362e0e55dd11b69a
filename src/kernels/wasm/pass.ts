/** One pass over a stretch of columns: what it stores and what it reduces, lowered. */
import { operands, ProgramError, storageBytes, type StorageType, type Value } from "../program.ts";
import type { ReduceOp } from "../rows.ts";
import type { Outputs } from "../signature.ts";
import type { Graph } from "./expression-graph.ts";
import { encode } from "./expression-storage.ts";

export interface Store {
  /** Name of the stream that is written. */
  readonly stream: string;
  readonly value: Value;
}

export interface Reduction {
  /** The leaf that later passes read. */
  readonly result: Value;
  readonly op: ReduceOp;
  readonly value: Value;
}

export interface Pass {
  readonly stores: readonly Store[];
  readonly reductions: readonly Reduction[];
}

/** What every pass computes, in order. */
export const rootsOf = (pass: Pass): Value[] => [
  ...pass.stores.map(({ value }) => value),
  ...pass.reductions.map(({ value }) => value),
];

/** Stores of a kernel's outputs. */
export function lowerStores(graph: Graph, outputs: Outputs): Store[] {
  return Object.entries(outputs).map(([name, { storage, value }]) => ({
    stream: `output:${name}`,
    value: lowerStored(graph, storage, value),
  }));
}

/** The raw bits of a value in a storage, cut to its width. */
export function lowerStored(graph: Graph, storage: StorageType, value: Value): Value {
  const raw = graph.lower(encode(storage, value));
  const largest = 2 ** (8 * storageBytes[storage]) - 1;
  const fits = storageBytes[storage] === 4 || graph.ranges.bound(raw) <= largest;
  const cut = fits ? raw : graph.lower(raw.asU32().and(largest));
  graph.use(cut);
  return cut;
}

/** A value that a reduction takes. @throws ProgramError when it is not f32. */
export function lowerReduced(graph: Graph, value: Value): Value {
  if (value.type !== "f32") throw new ProgramError(`a reduction of ${value.type}, wants f32`);
  const lowered = graph.lower(value);
  graph.use(lowered);
  return lowered;
}

/** The stream that a leaf is read from; null for leaves that are none. */
export function streamOf({ node }: Value): string | null {
  if (node.kind === "input") return `input:${node.name}`;
  if (node.kind === "stored") return `output:${node.name}`;
  return node.kind === "product" ? "product" : null;
}

/** All values that `roots` are computed from, themselves included. */
export function reachable(roots: readonly Value[]): Set<Value> {
  const found = new Set<Value>();
  const visit = (value: Value) => {
    if (found.has(value)) return;
    found.add(value);
    operands(value).forEach(visit);
  };
  roots.forEach(visit);
  return found;
}
