/** Whether one official file is there and is what it should be. Node only. */
import { digestContent, digestFile } from "../io/file-digest.ts";
import { FileError } from "../io/file-error.ts";
import type { DataFile, Dataset, DataSource } from "./dataset.ts";
import { findFile } from "./official-file.ts";

/**
 * `official`: its checksum is the published one. `unpinned`: its size is right and no checksum is known. `differs`: another size or
 * checksum. `unreadable`: it cannot be read whole. `missing`: it is not there.
 */
export type FileState = "official" | "unpinned" | "differs" | "unreadable" | "missing";

export interface FileReport {
  readonly name: string;
  readonly path: string | null;
  /** Bytes of its content, uncompressed; null where it cannot be read. */
  readonly bytes: number | null;
  readonly state: FileState;
  /** What is wrong, naming file and byte; null for `official` and `unpinned`. */
  readonly fault: string | null;
}

/** Looks at one file of a set. Reads it once or, where it is gzip of another making than the official, twice. */
export async function checkFile(
  dataset: Pick<Dataset, "name" | "archiveFolder" | "sources">,
  folder: string,
  source: DataSource,
  file: DataFile,
): Promise<FileReport> {
  const { name } = file;
  const path = findFile(dataset, folder, file);
  if (path === undefined) {
    const fault = `no "${name}" or "${name}.gz" in "${folder}"`;
    return { name, path: null, bytes: null, state: "missing", fault };
  }
  try {
    if (await isOfficialGzip(path, source)) return { name, path, bytes: file.bytes, state: "official", fault: null };
    const { bytes, sha256 } = await digestContent(path);
    return { name, path, bytes, ...verdict(file, path, bytes, sha256) };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { name, path, bytes: null, state: "unreadable", fault: error.message.replace("logrung: ", "") };
  }
} // prettier-ignore

/** The distributed gzip file itself. */
const isOfficialGzip = async (path: string, { kind, sha256 }: DataSource): Promise<boolean> =>
  kind === "gzip" && path.endsWith(".gz") && (await digestFile(path)).sha256 === sha256;

function verdict(
  file: DataFile,
  path: string,
  bytes: number,
  sha256: string,
): Pick<FileReport, "state" | "fault"> {
  if (bytes !== file.bytes) {
    const where =
      bytes < file.bytes ? `ends at byte ${bytes}` : `goes on after byte ${file.bytes}, to byte ${bytes}`;
    return { state: "differs", fault: `"${path}" ${where}, the official file has ${file.bytes} bytes` };
  }
  if (file.sha256 === null) return { state: "unpinned", fault: null };
  if (sha256 === file.sha256) return { state: "official", fault: null };
  return { state: "differs", fault: `"${path}": sha256 ${sha256}, the official file has ${file.sha256}` };
}
