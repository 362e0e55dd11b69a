/** Files that may be compressed with gzip, whole. Node only. */
import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import { FileError } from "./file-error.ts";
import { readBytes } from "./read-file.ts";

const decompress = promisify(gunzip);

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * All bytes of a file, decompressed where it starts as gzip does.
 *
 * @throws FileError when it cannot be read, is truncated, or its checksum does not fit.
 */
export async function readMaybeGzip(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  if (!isGzip(bytes)) return bytes;
  try {
    return await decompress(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FileError("read", path, new Error(`its gzip data are damaged or cut off (${message})`));
  }
}
