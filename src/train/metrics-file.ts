/** Appending metrics to a file so that none is lost, and cutting it back on resume. Node only. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { writeFileAtomic } from "../io/atomic-file.ts";
import { FileError, systemCode } from "../io/file-error.ts";
import { formatMetrics, parseMetrics, type StepMetrics } from "./metrics.ts";

/** The part of `node:fs` that appending needs; tests put a failing one in its place. */
export interface AppendFileSystem {
  openSync(path: string, flags: string): number;
  writeSync(file: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(file: number, length: number): void;
  fsyncSync(file: number): void;
  closeSync(file: number): void;
}

const nodeFileSystem: AppendFileSystem = { openSync, writeSync, ftruncateSync, fsyncSync, closeSync };

/**
 * The open `metrics.jsonl` of a run.
 *
 * Every line goes to the system at once (some 10 µs), so a killed process loses none; `sync` makes them survive a
 * power cut. A line that could not be written is kept and comes first the next time.
 */
export interface MetricsFile {
  /** @throws FileError when the disk refuses; the line stays pending. */
  append(metrics: StepMetrics): void;
  /** Writes what is pending and waits for the disk. @throws FileError as append. */
  sync(): void;
  /** Writes what is pending and closes; closing twice does nothing. @throws FileError as append. */
  close(): void;
  /** Lines not written yet: 0 unless the disk refused. */
  readonly pending: number;
}

/**
 * Opens `metrics.jsonl` for appending, keeping its lines up to a step and dropping the later ones and a torn
 * last one. The rest is replaced whole or not at all.
 *
 * @param lastStep  lines of later steps go; 0 starts anew.
 * @throws FileError when it cannot be read or written, MetricsError when a line is not a run's.
 */
export async function openMetricsFile(
  path: string,
  lastStep: number,
  fileSystem: AppendFileSystem = nodeFileSystem,
): Promise<MetricsFile> {
  const text = readText(path);
  const kept = parseMetrics(text, path).steps.filter((metrics) => metrics.step <= lastStep);
  const wanted = kept.map(formatMetrics).join("");
  if (wanted !== text) await writeFileAtomic(path, wanted);
  return appendTo(path, Buffer.byteLength(wanted), fileSystem);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return "";
    throw new FileError("read", path, cause);
  }
}

function appendTo(path: string, length: number, fileSystem: AppendFileSystem): MetricsFile {
  let pending: Uint8Array[] = [];
  let end = length;
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (cause) {
      throw new FileError("write", path, cause);
    }
  };
  let file: number | undefined = attempt(() => fileSystem.openSync(path, length === 0 ? "w" : "r+"));
  const flush = (): void => {
    const open = file;
    if (open === undefined) return;
    while (pending.length > 0) {
      writeLine(open, pending[0], end, fileSystem);
      end += pending[0].length;
      pending = pending.slice(1);
    }
  };
  return {
    append(metrics) {
      pending.push(Buffer.from(formatMetrics(metrics)));
      attempt(flush);
    },
    sync() {
      attempt(flush);
      const open = file;
      if (open !== undefined) attempt(() => fileSystem.fsyncSync(open));
    },
    close() {
      const open = file;
      if (open === undefined) return;
      try {
        attempt(flush);
      } finally {
        file = undefined;
        attempt(() => fileSystem.closeSync(open));
      }
    },
    get pending() {
      return pending.length;
    },
  };
}

/** Writes a line whole; a part that did get onto a full disk is cut off again. */
function writeLine(file: number, line: Uint8Array, end: number, fileSystem: AppendFileSystem): void {
  try {
    for (let offset = 0; offset < line.length;) {
      const written = fileSystem.writeSync(file, line, offset, line.length - offset, end + offset);
      if (written === 0) throw Object.assign(new Error("nothing could be written"), { code: "ENOSPC" });
      offset += written;
    }
  } catch (error) {
    fileSystem.ftruncateSync(file, end);
    throw error;
  }
}
