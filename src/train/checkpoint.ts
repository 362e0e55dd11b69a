/**
 * Checkpoints: a safetensors file that any tool can open, with our metadata and a checksum over every byte.
 *
 *   __metadata__ = { format: "logrung-checkpoint", version: "1", sha256: <64 digits>, metadata: <JSON text> }
 *
 * The checksum is the SHA-256 of the whole file with its own 64 digits put as zeros, so one flipped bit
 * anywhere (in a weight, in the step, in the checksum) is noticed.
 */
import {
  decodeSafetensors,
  encodeSafetensors,
  SafetensorsError,
  type SafetensorsTensor,
  safetensorsDataOffset,
} from "../io/safetensors.ts";
import { sha256 } from "../io/sha256.ts";
import type { FileSystem } from "../io/atomic-file.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

/** What a run needs to go on: stored codes and scales, and where it stands (step, seed, schedule, …). */
export interface Checkpoint {
  readonly tensors: Readonly<Record<string, SafetensorsTensor>>;
  readonly metadata: JsonObject;
}

const format = "logrung-checkpoint";
const version = "1";
const blankDigest = "0".repeat(64);

const verdicts = {
  /** Not what was written. */
  damaged: "is damaged",
  /** A whole file, but not one of ours, or of a newer version. */
  foreign: "is not a logrung checkpoint",
  /** One of ours, but of another run. */
  unfit: "does not fit the run",
  missing: "is missing",
};

export type CheckpointFault = keyof typeof verdicts;

/** A checkpoint is refused. `hint` says which other one may do; see `latestCheckpoint`. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
  readonly file: string;
  readonly fault: CheckpointFault;
  readonly reason: string;

  constructor(file: string, fault: CheckpointFault, reason: string, hint = "", cause?: unknown) {
    super(`logrung: checkpoint "${file}" ${verdicts[fault]}: ${reason}${hint && `; ${hint}`}`, { cause });
    this.file = file;
    this.fault = fault;
    this.reason = reason;
  }
}

/**
 * The bytes of a checkpoint file, as parts that lie one after the other.
 *
 * @throws SafetensorsError when a tensor's bytes do not match its shape.
 * @throws TypeError when the metadata holds NaN or an infinity, which JSON would turn into null.
 */
export async function encodeCheckpoint(checkpoint: Checkpoint, file = "checkpoint"): Promise<Uint8Array[]> {
  const metadata = JSON.stringify(checkpoint.metadata, finiteOnly);
  const parts = encodeSafetensors(
    checkpoint.tensors,
    { format, version, sha256: blankDigest, metadata },
    file,
  );
  const digest = await sha256(parts);
  parts[0].set(new TextEncoder().encode(digest), digestOffset(parts[0], blankDigest));
  return parts;
}

function finiteOnly(key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`logrung: checkpoint metadata "${key}" is ${value}, which JSON cannot hold`);
  }
  return value;
}

/** Where the digits of the checksum stand. Text inside a string has its quotes escaped, so it cannot match. */
function digestOffset(header: Uint8Array, digest: string): number {
  const before = '"sha256":"';
  const at = new TextDecoder("latin1").decode(header).indexOf(`${before}${digest}"`);
  return at < 0 ? at : at + before.length;
}

/**
 * Reads a checkpoint held in memory; the tensors are views into `bytes`.
 *
 * @throws CheckpointError when it is damaged or foreign.
 */
export async function decodeCheckpoint(bytes: Uint8Array, file = "checkpoint"): Promise<Checkpoint> {
  const { tensors, metadata } = readSafetensors(bytes, file);
  if (metadata.format !== format) {
    const reason = 'a safetensors file without the mark "format": "logrung-checkpoint"';
    throw new CheckpointError(file, "foreign", reason);
  }
  await checkDigest(bytes, metadata.sha256 ?? "", file);
  if (metadata.version !== version) {
    const reason = `its version is "${metadata.version}", this logrung reads "${version}"`;
    throw new CheckpointError(file, "foreign", reason);
  }
  return { tensors: Object.fromEntries(tensors), metadata: parseMetadata(metadata.metadata ?? "", file) };
}

function readSafetensors(bytes: Uint8Array, file: string): ReturnType<typeof decodeSafetensors> {
  try {
    return decodeSafetensors(bytes, file);
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new CheckpointError(file, "damaged", `byte ${error.byte}: ${error.reason}`, "", error);
  }
}

async function checkDigest(bytes: Uint8Array, digest: string, file: string): Promise<void> {
  const header = bytes.subarray(0, safetensorsDataOffset(bytes, file));
  const at = /^[0-9a-f]{64}$/.test(digest) ? digestOffset(header, digest) : -1;
  if (at < 0) throw new CheckpointError(file, "damaged", "its checksum is missing");
  const zeros = new TextEncoder().encode(blankDigest);
  const found = await sha256([bytes.subarray(0, at), zeros, bytes.subarray(at + zeros.length)]);
  if (found !== digest) {
    const reason = `its content has the sha-256 ${found.slice(0, 12)}…, written was ${digest.slice(0, 12)}…`;
    throw new CheckpointError(file, "damaged", reason);
  }
}

function parseMetadata(text: string, file: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new CheckpointError(file, "damaged", "its metadata is not JSON", "", cause);
  }
  throw new CheckpointError(file, "damaged", "its metadata is not a JSON object");
}

/**
 * Writes a checkpoint whole or not at all. Node only.
 *
 * @returns the size of the file in bytes.
 * @throws FileError when it cannot be written (full disk, read-only folder); an older file stays as it was.
 */
export async function saveCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  fileSystem?: FileSystem,
): Promise<{ readonly bytes: number }> {
  const { writeFileAtomic } = await import("../io/atomic-file.ts");
  const parts = await encodeCheckpoint(checkpoint, path);
  await writeFileAtomic(path, parts, fileSystem);
  return { bytes: parts.reduce((sum, part) => sum + part.length, 0) };
}

/**
 * Reads a checkpoint and checks every byte of it. Node only.
 *
 * @throws FileError when it cannot be read, CheckpointError when it is damaged or foreign.
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const { readBytes } = await import("../io/read-file.ts");
  return decodeCheckpoint(await readBytes(path), path);
}
