/** Runs tasks in processes of their own and reads their results. */
import { execFile } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TaskResult } from "./peers/protocol.ts";

/** A program with its arguments. */
export interface TaskCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Thrown when a task fails. */
export class TaskError extends Error {
  override name = "TaskError";
  /** The line that tells why, of those that its process wrote. */
  readonly reason: string;

  constructor(task: string, reason: string, cause?: unknown) {
    super(`logrung: ${task} failed: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** The longest a task may take: a peer that hangs must not hang the rest. */
const LIMIT_MS = 300_000;

/** Runs a command that prints a {@link TaskResult} a line. @throws TaskError when it fails or prints none. */
export async function runTask({ file, args, cwd, env }: TaskCommand): Promise<TaskResult[]> {
  const options = {
    timeout: LIMIT_MS,
    maxBuffer: 2 ** 24,
    env: { ...process.env, ...env },
    ...(cwd ? { cwd } : {}),
  };
  try {
    const { stdout } = await promisify(execFile)(file, args, options);
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
    if (lines.length === 0) throw new Error("it printed no result");
    return lines.map((line) => JSON.parse(line) as TaskResult);
  } catch (cause) {
    throw new TaskError(args.join(" "), reasonOf(cause), cause);
  }
}

function reasonOf(cause: unknown): string {
  const { stderr, message } = cause as { stderr?: string; message?: string };
  const lines = (stderr?.trim() || message || String(cause)).split("\n");
  return lines.find((line) => /error/i.test(line))?.trim() ?? lines.slice(-1)[0];
}

/** Our own side: `task.ts`, compiled or not as this file is. */
export function ownTask(task: string, threads: number, milliseconds: number, recipe?: string): TaskCommand {
  const program = fileURLToPath(new URL(`./task${extname(import.meta.url)}`, import.meta.url));
  const args = [program, task, String(threads), String(milliseconds), ...(recipe ? [recipe] : [])];
  return { file: process.execPath, args };
}
