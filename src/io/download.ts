/** Downloads that go on where they stopped and end in the right file or none. Node only. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { IncomingMessage } from "node:http";
import { FileError } from "./file-error.ts";
import { httpGet } from "./http-get.ts";

/** What went wrong: no connection, an answer other than the file, an end too early, other bytes than wanted. */
export type DownloadFault = "network" | "status" | "truncated" | "size" | "checksum";

/** A download that did not end in the right file. What came is kept for the next attempt, unless it is wrong. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
  readonly url: string;
  readonly fault: DownloadFault;

  constructor(url: string, fault: DownloadFault, reason: string, cause?: unknown) {
    super(`logrung: cannot download ${url}: ${reason}`, { cause });
    this.url = url;
    this.fault = fault;
  }
}

export interface DownloadRequest {
  readonly url: string;
  /** The file to make; its folder is made too. */
  readonly path: string;
  /** Its size; null where none is known. */
  readonly bytes: number | null;
  /** Its checksum; null where none is known: then only sizes are checked. */
  readonly sha256: string | null;
  readonly signal?: AbortSignal;
  /** Told after every piece: bytes there, and bytes in all as far as known. */
  readonly onProgress?: (done: number, total: number | null) => void;
}

export interface DownloadResult {
  readonly bytes: number;
  readonly sha256: string;
  /** Bytes that were there from an earlier attempt. */
  readonly resumedFrom: number;
}

/** Ending of the file in which a download grows. */
export const partEnding = ".part";

/**
 * Downloads a file. It grows as `<path>.part`, which stays when the connection breaks; the next attempt asks for the rest (HTTP
 * Range). Only when size and checksum fit does it get its name, so that no half or wrong file is ever taken for it.
 *
 * @throws DownloadError with the fault; FileError when the file cannot be written; the signal's reason when aborted.
 */
export async function download(request: DownloadRequest): Promise<DownloadResult> {
  const part = request.path + partEnding;
  await mkdir(dirname(part), { recursive: true }).catch((cause: unknown) => {
    throw new FileError("write", part, cause);
  });
  const resumedFrom = await transfer(request, part);
  const bytes = await sizeOf(part);
  const digest = await hashOf(part);
  if (request.sha256 !== null && digest !== request.sha256) {
    await rm(part, { force: true });
    const wrong = `its sha256 is ${digest}, wants ${request.sha256}; what came is removed`;
    throw new DownloadError(request.url, "checksum", wrong);
  }
  await rename(part, request.path).catch((cause: unknown) => {
    throw new FileError("write", request.path, cause);
  });
  return { bytes, sha256: digest, resumedFrom };
} // prettier-ignore

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** Brings the partial file to its full size. @returns where it began. */
async function transfer(request: DownloadRequest, part: string): Promise<number> {
  const { url, signal, bytes } = request;
  const found = await sizeOf(part);
  const have = bytes !== null && found > bytes ? 0 : found;
  if (have > 0 && have === bytes) return have;
  const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  const response = await httpGet(url, range, signal).catch((cause: unknown) => {
    throw signal?.aborted === true ? signal.reason : new DownloadError(url, "network", wordsOf(cause), cause);
  });
  const { statusCode = 0 } = response;
  if (statusCode === 416) {
    // Nothing follows what is there: it is whole already, or not what the server has.
    response.resume();
    if (rangeOf(response)?.total === have) return have;
    await rm(part, { force: true });
    return transfer(request, part);
  }
  const from = statusCode === 206 ? have : 0;
  if (statusCode === 206 && rangeOf(response)?.first !== have) {
    response.destroy();
    throw new DownloadError(url, "status", `asked for bytes from ${have} on, got ${response.headers["content-range"]}`);
  }
  if (statusCode !== 200 && statusCode !== 206) {
    response.resume();
    throw new DownloadError(url, "status", `the server answers ${statusCode} ${response.statusMessage ?? ""}`.trim());
  }
  await receive(request, part, response, from);
  return from;
} // prettier-ignore

/** `bytes 5-9/10` or, where nothing can be had, `bytes * /10` (without the space). */
function rangeOf({ headers }: IncomingMessage): { first: number; total: number } | undefined {
  const found = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(headers["content-range"] ?? "");
  return found === null ? undefined : { first: Number(found[1] ?? -1), total: Number(found[2]) };
}

async function receive(
  request: DownloadRequest,
  part: string,
  response: IncomingMessage,
  from: number,
): Promise<void> {
  const { url, signal, bytes, onProgress } = request;
  const length = response.headers["content-length"];
  const promised = length === undefined ? null : from + Number(length);
  const total = bytes ?? promised;
  const tooLong = (size: number): DownloadError =>
    new DownloadError(url, "size", `it has ${size} bytes or more, wants ${bytes}: it is another file`);
  if (bytes !== null && promised !== null && promised > bytes) {
    response.destroy();
    throw tooLong(promised);
  }
  let done = from;
  const file = await openPart(part, from);
  try {
    for await (const chunk of response) {
      const piece = chunk as Uint8Array;
      if (bytes !== null && done + piece.length > bytes) throw tooLong(done + piece.length);
      await append(file, part, piece);
      done += piece.length;
      onProgress?.(done, total);
    }
    await file.sync();
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    if (cause instanceof DownloadError || cause instanceof FileError) throw cause;
    throw new DownloadError(url, "truncated", broken(done, total), cause);
  } finally {
    await file.close();
  }
  if (total !== null && done < total) throw new DownloadError(url, "truncated", broken(done, total));
}

const broken = (done: number, total: number | null): string =>
  `the connection ended at byte ${done}${total === null ? "" : ` of ${total}`}; the same command goes on from there`;

/** Opens the growing file, cut to what is kept of it. */
async function openPart(part: string, from: number): Promise<FileHandle> {
  try {
    return await open(part, from > 0 ? "a" : "w");
  } catch (cause) {
    throw new FileError("write", part, cause);
  }
}

async function append(file: FileHandle, part: string, bytes: Uint8Array): Promise<void> {
  try {
    await file.appendFile(bytes);
  } catch (cause) {
    throw new FileError("write", part, cause);
  }
}

function wordsOf(cause: unknown): string {
  if (cause instanceof AggregateError) return wordsOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}
