/** Running the real program as a child process, on a tiny model and a small text. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { commands } from "../../cli/commands/commands.generated.ts";
import { runProgram } from "../../cli/run.ts";
import { packageVersion } from "../../cli/version.ts";
import { decodeCheckpoint, type Checkpoint } from "../../src/train/checkpoint.ts";
import { checkpointsOf } from "../../src/train/checkpoint-folder.ts";
import { builtProgram } from "./build.ts";

const entry = builtProgram();

/** How a process ended and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** The user it runs as; only root may choose. */
  readonly uid?: number;
}

/** Starts `logrung <words>`. */
export function start(words: readonly string[], options: StartOptions = {}): Started {
  const { cwd, env, node = [], uid } = options;
  const child = spawn(process.execPath, [...node, entry, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...env },
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs `logrung <words>` to its end. */
export const logrung = (words: readonly string[], options?: StartOptions): Promise<Ended> =>
  start(words, options).ended;

/**
 * Start options of a user whom file permissions stop; undefined where there is none. Root, whom nothing stops, lends
 * the part to nobody, if nobody may read this folder.
 */
export function ordinaryUser(): Pick<StartOptions, "uid"> | undefined {
  if (process.platform === "win32") return undefined;
  if (process.getuid?.() !== 0) return {};
  const uid = 65_534;
  const { status } = spawnSync(process.execPath, [entry, "--version"], { uid, gid: uid, cwd: "/" });
  return status === 0 ? { uid } : undefined;
}

/** Runs `logrung <words>` in this process: where starting another would prove no more. */
export async function inPlace(
  words: readonly string[],
  options: { readonly cwd?: string; readonly signal?: AbortSignal } = {},
): Promise<Omit<Ended, "signal">> {
  const { cwd = process.cwd(), signal = new AbortController().signal } = options;
  let stdout = "";
  let stderr = "";
  const code = await runProgram(words, Object.values(commands), {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    cwd,
    signal,
    version: packageVersion(),
  });
  return { code, stdout, stderr };
}

/** A folder of its own for a test file, removed at its end. */
export function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), "logrung-integration-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const textFolder = workspace();

/** The smallest model that has everything: one block, two heads, 7,664 parameters. */
export const tiny: readonly string[] = (
  "--model.layers=1 --model.width=16 --model.heads=2 --context=16 --batch=2 " +
  "--evaluate.every=0 --evaluate.batches=2 --sample.length=8"
).split(" ");

/** `train text` on a small text, with a tiny model, into `output`. */
export function training(output: string, steps: number, ...more: readonly string[]): string[] {
  return [
    "train",
    "text",
    `--data=${textFile()}`,
    ...tiny,
    `--output=${output}`,
    `--steps=${steps}`,
    ...more,
  ];
}

/** A file of 16 kB of sentences, the same in every test. */
export function textFile(): string {
  const path = join(textFolder, "sentences.txt");
  if (!existsSync(path)) writeFileSync(path, sentences(16_000));
  return path;
}

/** Words in an order that repeats only after a long time: a text from which there is something to learn. */
export function sentences(bytes: number): string {
  const words = "the ladder has rungs and a weight stands on one of them while it learns to climb".split(" ");
  let text = "";
  for (let state = 7; text.length < bytes;) {
    state = (state * 1103 + 12_345) % 65_536;
    const word = words[(state >> 4) % words.length];
    text += state % 11 === 0 ? `${word}.\n` : `${word} `;
  }
  return text.slice(0, bytes);
}

/** The newest checkpoint of a run, checked. */
export async function newestCheckpoint(run: string): Promise<Checkpoint & { readonly path: string }> {
  const newest = (await checkpointsOf(run)).at(-1);
  if (newest === undefined) throw new Error(`no checkpoint in ${run}`);
  return { ...(await decodeCheckpoint(readFileSync(newest.path), newest.path)), path: newest.path };
}

/** Every byte of a run's state: its newest checkpoint's tensors as hexadecimal text, by name, and the step. */
export async function stateOf(run: string): Promise<Record<string, unknown>> {
  const { tensors, metadata } = await newestCheckpoint(run);
  const bytes = Object.entries(tensors).map(([name, tensor]) => [
    name,
    `${tensor.dtype} [${tensor.shape.join(", ")}] ${Buffer.from(tensor.bytes).toString("hex")}`,
  ]);
  return { step: metadata.step, ...Object.fromEntries(bytes) };
}

/** Whole lines of a file so far; 0 when it is not there. */
export function countLines(path: string): number {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

/** Waits until a condition holds. @throws when the process ended before, or it takes more than 30 s. */
export async function until(condition: () => boolean, { ended }: Started): Promise<void> {
  let over: Ended | undefined;
  void ended.then((end) => (over = end));
  for (let tries = 0; !condition(); tries++) {
    if (over !== undefined) throw new Error(`the program ended too early: ${JSON.stringify(over)}`);
    if (tries > 15_000) throw new Error("waited for 30 s in vain");
    await sleep(2);
  }
}
