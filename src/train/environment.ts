/** What a run ran on: the content of `environment.json`. Node only. */
import { execFile } from "node:child_process";
import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { promisify } from "node:util";

export interface Environment {
  readonly logrung: string;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly host: string;
  readonly threads: number;
  readonly seed: number;
  /** ISO 8601, UTC. */
  readonly started: string;
  /** Commit of the working folder, with "-dirty" where tracked files differ from it; null outside git. */
  readonly commit: string | null;
}

/**
 * Reads the environment of this process.
 *
 * @param options.logrung  version of this package.
 * @param options.cwd      folder whose git commit is recorded. Default: the working folder.
 */
export async function readEnvironment(options: {
  readonly logrung: string;
  readonly threads: number;
  readonly seed: number;
  readonly cwd?: string;
  readonly now?: Date;
}): Promise<Environment> {
  return {
    logrung: options.logrung,
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${platform()} ${arch()} ${release()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    host: hostname(),
    threads: options.threads,
    seed: options.seed,
    started: (options.now ?? new Date()).toISOString(),
    commit: await gitCommit(options.cwd ?? process.cwd()),
  };
}

async function gitCommit(cwd: string): Promise<string | null> {
  try {
    const run = promisify(execFile);
    const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd, timeout: 5000 });
    const { stdout: changes } = await run("git", ["status", "--porcelain", "-uno"], { cwd, timeout: 5000 });
    return commit.trim() + (changes.trim() === "" ? "" : "-dirty");
  } catch {
    // No git, no repository, or one without a commit: a run does not need any of them.
    return null;
  }
}
