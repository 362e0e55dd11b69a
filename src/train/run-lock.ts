/** One process a run folder: a lock file with the owner's process id, taken over when that process is gone. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { FileError, systemCode } from "../io/file-error.ts";

/** Another process trains in this folder. */
export class RunLockedError extends Error {
  override readonly name = "RunLockedError";
  readonly path: string;

  constructor(path: string, who: string) {
    super(`logrung: the run is in use by ${who}; wait for it to end, or remove "${path}" if it has`);
    this.path = path;
  }
}

/** Who holds a lock. `started` tells a process from a later one with the same id, where the system says it. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
}

export interface RunLock {
  /** Gives the folder free; releasing twice does nothing. */
  release(): Promise<void>;
}

/** A lock file this young without content may be another process between creating and filling it. */
const fillMilliseconds = 2000;

/**
 * Takes the lock of a run folder.
 *
 * @throws RunLockedError when a living process, or one on another machine, holds it.
 * @throws FileError when the lock file cannot be written.
 */
export async function lockRun(path: string): Promise<RunLock> {
  const owner: Owner = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  const token = JSON.stringify(owner);
  if (!(await create(path, token))) {
    await removeStale(path);
    if (!(await create(path, token))) throw new RunLockedError(path, "a process that was faster");
  }
  return {
    async release() {
      // A lock that was taken over by someone else is no longer ours to remove.
      if ((await readText(path)) === token) await rm(path, { force: true });
    },
  };
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") return false;
    throw new FileError("write", path, cause);
  }
}

/** Moves a stale lock out of the way; if another process put its own there meanwhile, that one goes back. */
async function removeStale(path: string): Promise<void> {
  const seen = await readText(path);
  if (seen === undefined) return;
  await refuseIfHeld(path, seen);
  const aside = `${path}.stale-${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return;
    throw new FileError("write", path, cause);
  }
  const moved = await readText(aside);
  if (moved !== undefined && moved !== seen) await create(path, moved);
  await rm(aside, { force: true });
}

async function refuseIfHeld(path: string, text: string): Promise<void> {
  const owner = parseOwner(text);
  if (owner === undefined) {
    const age = Date.now() - (await stat(path)).mtimeMs;
    if (age < fillMilliseconds) throw new RunLockedError(path, "a process that has just started");
    return;
  }
  if (owner.host !== hostname()) throw new RunLockedError(path, `process ${owner.pid} on ${owner.host}`);
  if (isAlive(owner)) throw new RunLockedError(path, `process ${owner.pid}`);
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Record<string, unknown>;
    if (!Number.isInteger(pid) || typeof host !== "string" || typeof started !== "string") return undefined;
    return { pid: pid as number, host, started };
  } catch {
    // A lock without an owner (its writer was killed while writing) is judged by its age.
    return undefined;
  }
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== "EPERM") return false;
  }
  return startOf(pid) === started;
}

/** When a process started, in the system's own count since boot; "" where the system does not say. */
function startOf(pid: number): string {
  try {
    // The name in parentheses may hold spaces: count fields after it. Field 22 of the whole is the start time.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(")").at(-1)?.trim().split(" ");
    return fields?.[19] ?? "";
  } catch {
    return "";
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new FileError("read", path, cause);
  }
}
