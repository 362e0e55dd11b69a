/** Files that may be compressed with gzip. Node only. */
import { createReadStream, type ReadStream } from "node:fs";
import { createGunzip, type Gunzip, gunzip } from "node:zlib";
import { promisify } from "node:util";
import { FileError, systemCode } from "./file-error.ts";
import { firstBytes, readBytes } from "./read-file.ts";

const decompress = promisify(gunzip);

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * All bytes of a file, decompressed where it starts as gzip does.
 *
 * @throws FileError when it cannot be read, is cut off, or its checksum does not fit; the place is named.
 */
export async function readMaybeGzip(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  if (!isGzip(bytes)) return bytes;
  try {
    return await decompress(bytes);
  } catch (cause) {
    throw await gzipFault(path, cause);
  }
}

/**
 * The bytes of a file as they come from it, decompressed where it starts as gzip does.
 *
 * @throws as {@link readMaybeGzip}.
 */
export async function* streamMaybeGzip(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = isGzip(await firstBytes(path, 2));
  const source = createReadStream(path);
  const content = packed ? unpacked(source) : source;
  try {
    for await (const chunk of content) yield chunk as Uint8Array;
  } catch (cause) {
    throw packed ? await gzipFault(path, cause) : new FileError("read", path, cause);
  } finally {
    source.destroy();
  }
}

function unpacked(source: ReadStream): Gunzip {
  const content = createGunzip();
  source.on("error", (error) => content.destroy(error));
  return source.pipe(content);
}

/** Bytes given to zlib at once while a fault is looked for: how exactly its place is told. */
const pieceBytes = 1024;

/** Says where a gzip file is damaged: the errors of zlib do not. */
async function gzipFault(path: string, cause: unknown): Promise<FileError> {
  if (!systemCode(cause).startsWith("Z_")) return new FileError("read", path, cause);
  const { message } = cause as Error;
  if (systemCode(cause) === "Z_BUF_ERROR") {
    const { length } = await readBytes(path);
    return new FileError("read", path, new Error(`byte ${length}: its gzip data are cut off here`));
  }
  const at = await faultyPiece(await readBytes(path));
  const where = at === undefined ? "" : `bytes ${at} to ${at + pieceBytes - 1}: `;
  return new FileError("read", path, new Error(`${where}its gzip data are damaged (${message})`));
}

/** The start of the first piece that zlib refuses. */
async function faultyPiece(bytes: Uint8Array): Promise<number | undefined> {
  const content = createGunzip();
  content.resume();
  const failed = new Promise<true>((resolve) => content.once("error", () => resolve(true)));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const taken = new Promise<false>((resolve) => {
      content.write(bytes.subarray(at, at + pieceBytes), () => resolve(false));
    });
    // After an error the stream takes nothing more and never says so; the error itself comes a little later.
    if (await Promise.race([failed, taken])) return at;
    if (content.destroyed) return at;
  }
  return undefined;
}
