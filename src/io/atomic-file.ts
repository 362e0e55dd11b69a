/** Files that are either the old one or the new one, whatever happens in between. Node only. */
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FileError, systemCode } from "./file-error.ts";

/** The part of an open file that writing needs. */
export interface OpenFile {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The part of `node:fs/promises` that writing needs; tests put a failing one in its place. */
export interface FileSystem {
  open(path: string, flags: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean }): Promise<void>;
}

const nodeFileSystem: FileSystem = { open, rename, rm };

/** Marks the temporary files of {@link writeFileAtomic}; what a killed process left behind is found by it. */
export const temporaryMark = ".tmp-";

/**
 * Writes a file whole or not at all: a temporary file in the same folder, fsync, rename, fsync of the folder.
 * A reader, or a restart after a power cut, sees the old content or the new, never a mixture.
 *
 * @param content  text, or parts that lie one after the other in the file.
 * @throws FileError when the disk is full, the folder read-only, …; the temporary file is removed and an older
 *   file of that name is untouched.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  fileSystem: FileSystem = nodeFileSystem,
): Promise<void> {
  const parts = typeof content === "string" ? [new TextEncoder().encode(content)] : [content].flat();
  const name = `.${basename(path)}${temporaryMark}${process.pid}-${randomBytes(4).toString("hex")}`;
  const temporary = join(dirname(path), name);
  try {
    await writeAndSync(temporary, parts as Uint8Array[], fileSystem);
    await fileSystem.rename(temporary, path);
    await syncFolder(dirname(path), fileSystem);
  } catch (cause) {
    await fileSystem.rm(temporary, { force: true }).catch(() => {
      // The first failure is the one to tell; a read-only folder refuses the removal for the same reason.
    });
    throw new FileError("write", path, cause);
  }
}

async function writeAndSync(
  path: string,
  parts: readonly Uint8Array[],
  fileSystem: FileSystem,
): Promise<void> {
  const file = await fileSystem.open(path, "wx");
  try {
    for (const part of parts) await writeWhole(file, part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A system may write less than asked (a disk filling up does): go on until it is done or refuses. */
async function writeWhole(file: OpenFile, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset);
    if (bytesWritten === 0) throw Object.assign(new Error("nothing could be written"), { code: "ENOSPC" });
    offset += bytesWritten;
  }
}

/** Makes the rename itself durable. Windows and some network file systems cannot sync a folder. */
async function syncFolder(path: string, fileSystem: FileSystem): Promise<void> {
  try {
    const folder = await fileSystem.open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    if (!["EISDIR", "EPERM", "EINVAL", "EACCES", "ENOTSUP"].includes(systemCode(error))) throw error;
  }
}
