/** Reading whole files into memory of their own. Node only. */
import { open, stat } from "node:fs/promises";
import { FileError } from "./file-error.ts";

/** Most bytes asked of the system at once; one call cannot bring more than 2 GiB. */
const pieceBytes = 1 << 30;

/**
 * All bytes of a file, in an ArrayBuffer of their own (aligned to 8 bytes, unlike small pooled Node buffers).
 *
 * @throws FileError when it is missing, unreadable, not a regular file, or shrinks while it is read.
 */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await fileSize(path));
  await readInto(path, bytes);
  return bytes;
}

/**
 * Bytes a regular file holds.
 *
 * @throws FileError as {@link readBytes}.
 */
export async function fileSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new FileError("read", path, cause);
  });
  if (found.isDirectory()) throw new FileError("read", path, systemError("EISDIR", "is a folder"));
  if (!found.isFile()) throw new FileError("read", path, new Error("it is not a regular file"));
  return found.size;
}

/**
 * Fills `target` with the first bytes of a file.
 *
 * @throws FileError as {@link readBytes}.
 */
export async function readInto(path: string, target: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      for (let offset = 0; offset < target.length;) {
        const length = Math.min(pieceBytes, target.length - offset);
        const { bytesRead } = await file.read(target, offset, length, offset);
        if (bytesRead === 0) throw new Error(`it ended at byte ${offset} while it was read`);
        offset += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new FileError("read", path, cause);
  }
}

/**
 * The first bytes of a file: `count`, or as many as it has.
 *
 * @throws FileError as {@link readBytes}.
 */
export async function firstBytes(path: string, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(count, await fileSize(path)));
  await readInto(path, bytes);
  return bytes;
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
