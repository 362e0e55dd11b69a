/** Downloading a data set: official bytes, checked, unpacked. Node only. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeFileAtomic } from "../io/atomic-file.ts";
import { download, DownloadError, type DownloadResult } from "../io/download.ts";
import { digestFile } from "../io/file-digest.ts";
import { streamMaybeGzip } from "../io/gunzip.ts";
import { readBytes } from "../io/read-file.ts";
import { sha256 } from "../io/sha256.ts";
import { type ArchiveMember, readTar } from "../io/tar.ts";
import { readZip } from "../io/zip.ts";
import { checkFile } from "./check-file.ts";
import { DataError } from "./data-error.ts";
import type { DataFile, Dataset, DataSource } from "./dataset.ts";

/** What is told while a set comes. */
export type GetEvent =
  | { readonly kind: "present"; readonly files: readonly string[] }
  | { readonly kind: "start"; readonly url: string }
  | { readonly kind: "progress"; readonly done: number; readonly total: number | null }
  | { readonly kind: "retry"; readonly url: string; readonly error: DownloadError }
  | { readonly kind: "unpack"; readonly path: string }
  | { readonly kind: "done"; readonly files: readonly string[]; readonly resumedFrom: number };

export interface GetOptions {
  /** Folder of the set's files; made where it does not exist. */
  readonly folder: string;
  /** Fetch every download from `<from>/<its name>` instead. Checksums stay as they are. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: GetEvent) => void;
}

/**
 * Brings the official files of a set into a folder. What is there and right is left alone; what broke off goes on.
 *
 * Archives are unpacked and removed: each file in them has its own checksum.
 *
 * @throws DownloadError, TarError, ZipError, FileError; DataError when an archive lacks a file or holds other bytes than are pinned.
 */
export async function getDataset(dataset: Dataset, options: GetOptions): Promise<void> {
  const { folder, onEvent = () => undefined } = options;
  for (const source of dataset.sources) {
    const files = source.files.map(({ name }) => name);
    if (await isPresent(dataset, folder, source)) {
      onEvent({ kind: "present", files });
      continue;
    }
    const path = join(folder, downloadName(source));
    const resumedFrom = await fetchSource(source, path, options);
    if (source.kind === "tar.gz" || source.kind === "zip") {
      onEvent({ kind: "unpack", path });
      await unpack(dataset, source, path, folder);
      await rm(path);
    }
    onEvent({ kind: "done", files, resumedFrom });
  }
}

/** The name under which a download lies: its own, not the place's. */
const downloadName = ({ kind, files, urls }: DataSource): string =>
  kind === "plain" ? files[0].name : basename(new URL(urls[0]).pathname);

async function isPresent(dataset: Dataset, folder: string, source: DataSource): Promise<boolean> {
  for (const file of source.files) {
    const { state } = await checkFile(dataset, folder, source, file);
    if (state !== "official") return false;
  }
  return true;
}

/** Tries one place after the other, but for faults that another place would not mend. */
async function fetchSource(source: DataSource, path: string, options: GetOptions): Promise<number> {
  if (await isWhole(path, source)) return source.bytes ?? 0;
  const { from, signal, onEvent = () => undefined } = options;
  const name = downloadName(source);
  const urls = from === undefined ? source.urls : [`${from.replace(/\/$/, "")}/${name}`];
  const onProgress = (done: number, total: number | null): void => onEvent({ kind: "progress", done, total });
  for (const [index, url] of urls.entries()) {
    onEvent({ kind: "start", url });
    const { bytes, sha256: digest } = source;
    try {
      const request = { url, path, bytes, sha256: digest, onProgress, ...(signal && { signal }) };
      return (await fetchAgain(request)).resumedFrom;
    } catch (error) {
      if (!(error instanceof DownloadError) || index === urls.length - 1) throw error;
      onEvent({ kind: "retry", url: urls[index + 1], error });
    }
  }
  throw new RangeError("logrung: a source without a place");
}

/** An archive that an interrupted unpacking left behind. */
const isWhole = async (path: string, { sha256: digest }: DataSource): Promise<boolean> =>
  existsSync(path) && (await digestFile(path)).sha256 === digest;

/** A resumed file with a wrong checksum may be a mixture of two versions: once more from the start. */
async function fetchAgain(request: Parameters<typeof download>[0]): Promise<DownloadResult> {
  const resumes = existsSync(`${request.path}.part`);
  try {
    return await download(request);
  } catch (error) {
    if (!resumes || !(error instanceof DownloadError) || error.fault !== "checksum") throw error;
    return download(request);
  }
}

async function unpack(dataset: Dataset, source: DataSource, path: string, folder: string): Promise<void> {
  const missing = new Map(source.files.map((file) => [file.name, file]));
  for await (const { path: inner, bytes } of members(source, path, (name) => missing.has(basename(name)))) {
    const file = missing.get(basename(inner));
    if (file === undefined) throw new DataError(dataset.name, `"${path}" holds "${inner}" twice`);
    await checkMember(dataset, file, path, bytes);
    await writeFileAtomic(join(folder, file.name), bytes);
    missing.delete(file.name);
  }
  if (missing.size > 0)
    throw new DataError(dataset.name, `"${path}" does not hold ${[...missing.keys()].join(", ")}`);
}

async function* members(
  { kind }: DataSource,
  path: string,
  wanted: (name: string) => boolean,
): AsyncGenerator<ArchiveMember, void, undefined> {
  if (kind === "zip") yield* readZip(await readBytes(path), path, wanted);
  else yield* readTar(streamMaybeGzip(path), path, wanted);
}

async function checkMember(dataset: Dataset, file: DataFile, path: string, bytes: Uint8Array): Promise<void> {
  const { name, sha256: pinned } = file;
  const wrong =
    bytes.length === file.bytes
      ? pinned !== null && (await sha256([bytes])) !== pinned && "its sha256 is not the official one"
      : `it has ${bytes.length} bytes, wants ${file.bytes}`;
  if (wrong !== false) throw new DataError(dataset.name, `"${name}" in "${path}": ${wrong}`);
}
