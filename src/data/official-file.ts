/** Finding the official files of a data set in a folder. Node only. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readMaybeGzip } from "../io/gunzip.ts";
import { sha256 } from "../io/sha256.ts";
import { DataError } from "./data-error.ts";
import type { DataFile, Dataset } from "./dataset.ts";

/** What finding files needs to know of a set. */
export type Located = Pick<Dataset, "name" | "archiveFolder" | "sources">;

/** Bytes of a file and where they were found. */
export interface FoundFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The path of an official file: `<folder>/<name>`, or with `.gz`, or in the folder that archives unpack to.
 *
 * @returns undefined where it is not there.
 */
export function findFile(
  { archiveFolder }: Located,
  folder: string,
  { name, aliases = [] }: Pick<DataFile, "name" | "aliases">,
): string | undefined {
  const folders = archiveFolder === undefined ? [folder] : [folder, join(folder, archiveFolder)];
  return folders
    .flatMap((place) => [name, ...aliases].flatMap((stem) => [join(place, stem), join(place, `${stem}.gz`)]))
    .find((candidate) => existsSync(candidate));
}

/**
 * The bytes of an official file, decompressed where it is gzip.
 *
 * @param name  one of the set's files.
 * @throws DataError naming what was looked for; FileError when it cannot be read whole.
 */
export async function readOfficial(dataset: Located, folder: string, name: string): Promise<FoundFile> {
  const stated = filesOf(dataset).find((file) => file.name === name);
  const path = findFile(dataset, folder, stated ?? { name });
  if (path !== undefined) return { path, bytes: await readMaybeGzip(path) };
  throw new DataError(
    dataset.name,
    `no "${name}" or "${name}.gz" in "${folder}"; give the folder of the official files with --data-dir, ` +
      `or download them: logrung data get ${dataset.name}`,
  );
}

/**
 * The bytes of an official file that no other of its set has: for files whose format does not tell them apart, as training
 * from test records. Only bytes as many as another's are summed.
 *
 * @throws DataError where they are another file of the set, by its checksum; and as {@link readOfficial}.
 */
export async function readUnswapped(dataset: Located, folder: string, name: string): Promise<FoundFile> {
  const found = await readOfficial(dataset, folder, name);
  const alike = filesOf(dataset).filter((file) => file.name !== name && file.bytes === found.bytes.length);
  if (alike.length === 0) return found;
  const sum = await sha256([found.bytes]);
  const other = alike.find((file) => file.sha256 === sum);
  if (other === undefined) return found;
  throw new DataError(
    dataset.name,
    `"${found.path}" holds the official "${other.name}": are the files swapped?`,
  );
}

/** Every file that a set is read from. */
export const filesOf = ({ sources }: Pick<Dataset, "sources">): readonly DataFile[] =>
  sources.flatMap(({ files }) => files);
