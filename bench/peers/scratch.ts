/** Libraries of the registry that a comparison wants, installed in a scratch folder each. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/data/own-source.ts";
import type { Side } from "./compare.ts";
import type { TaskName } from "./protocol.ts";

/** A library and the programs that do the tasks in it. */
export interface Library {
  /** With its version: the one that the recorded figures are of. */
  readonly name: string;
  /** What npm is to install, with versions. */
  readonly packages: readonly string[];
  /** The folder of `bench/peers` with `main.mjs`. */
  readonly programs: string;
  /** What it has programs for. */
  readonly tasks: readonly TaskName[];
}

/** A library ready to run, or null, having said why, when it cannot be installed. */
export async function install(
  { name, packages, programs, tasks }: Library,
  say: (text: string) => void,
): Promise<Side | null> {
  const folder = await mkdtemp(join(tmpdir(), "logrung-peers-"));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    say(`installing ${packages.join(", ")} in ${folder}`);
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages];
    await promisify(execFile)("npm", words, { cwd: folder, timeout: 300_000, shell: onWindows });
    await cp(join(packageRoot(), "bench", "peers", programs), folder, { recursive: true });
  } catch (error) {
    await close();
    say(`${name} could not be installed, going on without: ${firstLine(error)}`);
    return null;
  }
  const protocol = new URL(`./protocol${extname(import.meta.url)}`, import.meta.url).href;
  return {
    name,
    tasks,
    command: (task, threads, milliseconds) => ({
      file: process.execPath,
      args: [join(folder, "main.mjs"), protocol, task, String(threads), String(milliseconds)],
    }),
    close,
  };
}

/** npm is a batch file there, which only a shell starts. */
const onWindows = process.platform === "win32";

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().split("\n").slice(0, 2).join(" ");

/** jax-js, the nearest library in TypeScript. */
export const jax: Library = {
  name: "jax-js 0.1.25",
  packages: ["@jax-js/jax@0.1.25"],
  programs: "jax",
  tasks: ["gemm", "gpt", "mlp", "convnet", "adam"],
};

/** TensorFlow.js on WebAssembly. */
export const tensorflow: Library = {
  name: "TensorFlow.js 4.22.0 wasm",
  packages: ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0"],
  programs: "tfjs",
  tasks: ["gemm", "gpt", "mlp", "convnet", "adam"],
};
