/** What the figures were taken on. */
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../src/data/own-source.ts";
import { createWasmBackend, describeEngine } from "../src/kernels/wasm/index.ts";
import { readEnvironment, type Environment } from "../src/train/environment.ts";

/** A machine and its software; the host's name and a seed have no place in a public record. */
export interface Machine extends Omit<Environment, "host" | "seed"> {
  /** Runnable processes over the last minute before the start: far from 0, others were busy. */
  readonly load: number;
  /** Lines of `doctor`: what the wasm backend found and chose. */
  readonly engine: readonly (readonly [string, string])[];
}

/** Describes this machine. Starts a backend, to ask it, and closes it. */
export async function describeMachine(threads: number): Promise<Machine> {
  const root = packageRoot();
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const load = loadavg()[0];
  const found = await readEnvironment({ logrung: version, threads, seed: 0, cwd: root });
  const { host: _host, seed: _seed, ...environment } = found;
  const backend = await createWasmBackend({ threads });
  const engine = describeEngine(backend.info);
  await backend.close();
  return { ...environment, load, engine };
}

/** The machine in lines. */
export function machineLines({ cpu, cores, load, memoryBytes, engine, logrung, commit }: Machine): string[] {
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`;
  return [
    `machine: ${cpu}, ${cores} cores, ${memory}, load ${load.toFixed(1)} before the start`,
    `logrung: ${logrung}, commit ${commit?.replace(/^(.{10})[0-9a-f]*/, "$1") ?? "unknown"}`,
    ...engine.map(([what, how]) => `${what}: ${how}`),
  ];
}
