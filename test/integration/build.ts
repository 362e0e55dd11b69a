/** The program as users get it: compiled once for all integration tests, whatever Node they run on. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The compiled program's entry. It lies in `dist/integration/<hash of the sources>`, so that the test files share
 * one build, a change of the sources makes another, and someone's own `npm run build` is left alone.
 */
export function builtProgram(): string {
  const folder = join(root, "dist", "integration");
  const built = join(folder, sourceHash());
  if (!existsSync(built)) {
    mkdirSync(folder, { recursive: true });
    removeOld(folder);
    build(folder, built);
  }
  return join(built, "cli", "main.js");
}

function sourceHash(): string {
  const hash = createHash("sha256");
  for (const folder of ["src", "cli"]) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).toSorted();
    for (const name of names.filter((entry) => entry.endsWith(".ts") && !entry.endsWith(".test.ts"))) {
      hash.update(name).update(readFileSync(join(root, folder, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** Compiles beside the final place and moves there: of two processes that build at once, one is first. */
function build(folder: string, built: string): void {
  const temporary = mkdtempSync(join(folder, "building-"));
  chmodSync(temporary, 0o755); // some tests run the program as another user
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const project = ["-p", join(root, "tsconfig.build.json"), "--noCheck"];
  const output = ["--outDir", temporary, "--tsBuildInfoFile", join(temporary, "tsbuildinfo")];
  execFileSync(process.execPath, [compiler, ...project, ...output], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  try {
    renameSync(temporary, built);
  } catch (error) {
    rmSync(temporary, { recursive: true });
    if (!existsSync(built)) throw error;
  }
}

/** Builds of sources that are no more. One that another test run may still use is young. */
function removeOld(folder: string): void {
  const hourAgo = Date.now() - 3_600_000;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).mtimeMs < hourAgo) rmSync(path, { recursive: true, force: true });
  }
}
