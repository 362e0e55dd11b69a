/** SHA-256 of a file, a piece at a time. Node only. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { FileError } from "./file-error.ts";
import { streamMaybeGzip } from "./gunzip.ts";

/** What a file holds: bytes counted and digested. */
export interface FileDigest {
  readonly bytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/**
 * Bytes and SHA-256 of a file as it lies there.
 *
 * @throws FileError when it cannot be read.
 */
export async function digestFile(path: string): Promise<FileDigest> {
  try {
    return await digestOf(createReadStream(path));
  } catch (cause) {
    throw new FileError("read", path, cause);
  }
}

/**
 * Bytes and SHA-256 of what a gzip file holds; of the file itself where it is none.
 *
 * @throws FileError when it cannot be read, is cut off or damaged.
 */
export const digestContent = (path: string): Promise<FileDigest> => digestOf(streamMaybeGzip(path));

async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<FileDigest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
