/** jax-js, the nearest library in TypeScript, installed in a scratch folder. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/data/own-source.ts";
import type { Side } from "./compare.ts";

/** The version that the recorded figures are of. */
const VERSION = "0.1.25";
const PACKAGE = "@jax-js/jax";

/** jax-js ready to run, or null, having said why, when it cannot be installed. */
export async function installJax(say: (text: string) => void): Promise<Side | null> {
  const folder = await mkdtemp(join(tmpdir(), "logrung-peers-"));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    say(`installing ${PACKAGE} ${VERSION} in ${folder}`);
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", `${PACKAGE}@${VERSION}`];
    await promisify(execFile)("npm", install, { cwd: folder, timeout: 300_000, shell: onWindows });
    await cp(join(packageRoot(), "bench", "peers", "jax"), folder, { recursive: true });
  } catch (error) {
    await close();
    say(`${PACKAGE} could not be installed, going on without: ${firstLine(error)}`);
    return null;
  }
  const protocol = new URL(`./protocol${extname(import.meta.url)}`, import.meta.url).href;
  return {
    name: `jax-js ${VERSION}`,
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
