/** Records of runs: `bench/results/<date>-<cpu>.json`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/data/own-source.ts";
import type { Machine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";

/** A run, as `--json` prints it and `--save` keeps it. */
export interface BenchRecord {
  readonly machine: Machine;
  readonly options: Pick<BenchOptions, "quick" | "threads" | "only" | "peers">;
  /** Processors that other processes kept busy meanwhile, on average; null where the system does not tell. */
  readonly others: number | null;
  readonly rows: readonly object[];
}

/** @example recordName(machine, ["peers"]) // "2026-11-22-amd-epyc-9r14-peers.json" */
export function recordName({ started, cpu }: Machine, kinds: readonly string[]): string {
  const processor = cpu
    .toLowerCase()
    .replaceAll(/\((r|tm)\)|@.*/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return `${[started.slice(0, 10), processor, ...kinds].join("-")}.json`;
}

/** Writes a record and gives its path. A later one of the same day and machine takes its place. */
export async function saveRecord(record: BenchRecord): Promise<string> {
  const { quick, peers } = record.options;
  const folder = join(packageRoot(), "bench", "results");
  const kinds = [...(peers ? ["peers"] : []), ...(quick ? ["quick"] : [])];
  const path = join(folder, recordName(record.machine, kinds));
  await mkdir(folder, { recursive: true });
  await writeFile(path, `${JSON.stringify(record, null, 2)}\n`);
  return path;
}
