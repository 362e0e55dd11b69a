/** PyTorch, where this machine's Python has it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/data/own-source.ts";
import type { Side } from "./compare.ts";
import { taskNames } from "./protocol.ts";

/** Pythons to ask: the user's, then the system's, which has the packages of the distribution. */
const PYTHONS = process.platform === "win32" ? ["python"] : ["python3", "/usr/bin/python3"];

/** PyTorch ready to run, or null, having said so, where no Python finds it. */
export async function findTorch(say: (text: string) => void): Promise<Side | null> {
  for (const python of PYTHONS) {
    const version = await torchVersion(python);
    if (version === null) continue;
    return {
      name: `PyTorch ${version}`,
      tasks: taskNames,
      command: (task, threads, milliseconds) => ({
        file: python,
        args: [program(), task, String(threads), String(milliseconds)],
        env: oneThreadPool(),
      }),
    };
  }
  say(`no PyTorch: ${PYTHONS.join(" and ")} cannot "import torch"; going on without`);
  return null;
}

/** The version that a Python imports; null where there is no such Python, or none in it. */
async function torchVersion(python: string): Promise<string | null> {
  try {
    const ask = ["-c", "import torch; print(torch.__version__)"];
    const { stdout } = await promisify(execFile)(python, ask, { timeout: 60_000 });
    return stdout.trim();
  } catch {
    return null;
  }
}

const program = (): string => join(packageRoot(), "bench", "peers", "with_torch.py");

/**
 * Debian's PyTorch takes whatever OpenBLAS is there; its build on pthreads has a pool of its own beside OpenMP's, and
 * the two fight for the cores (1,700 instead of 6,400 tokens/s on two). Where the OpenMP build lies, it goes first.
 */
function oneThreadPool(): Record<string, string> {
  const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch;
  const folder = `/usr/lib/${machine}-linux-gnu/openblas-openmp`;
  if (!existsSync(folder)) return {};
  return { LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":") };
}
