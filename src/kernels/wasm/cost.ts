/** Rough estimates of run times, to decide whether waking threads is worth it. */
import { storageBytes, type Value } from "../program.ts";
import type { Inputs, Outputs } from "../signature.ts";
import { reachable } from "./pass.ts";

/** An operation on one lane, at two 128-bit instructions a cycle and 3.5 GHz, in microseconds. */
const OPERATION = 0.000_04;
/** A byte moved, at 20 GB/s. */
const BYTE = 0.000_05;
/** Loop and pointer set-up of a row. */
const ROW_START = 0.01;

/** Estimated microseconds on one thread: a function of the numbers of elements and rows. */
export function estimate(
  roots: readonly Value[],
  inputs: Inputs,
  outputs: Outputs,
): (elements: number, rows: number) => number {
  const operations = reachable(roots).size;
  const read = Object.values(inputs).filter(({ access }) => access === "element" || access === "gathered");
  const moved = [...read, ...Object.values(outputs)].reduce((sum, x) => sum + storageBytes[x.storage], 0);
  return (elements, rows) => elements * (OPERATION * operations + BYTE * moved) + rows * ROW_START;
}
