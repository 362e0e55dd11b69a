/** Finding the official files of a data set in a folder. Node only. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readMaybeGzip } from "../io/gunzip.ts";
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

/** Every file that a set is read from. */
export const filesOf = ({ sources }: Pick<Dataset, "sources">): readonly DataFile[] =>
  sources.flatMap(({ files }) => files);
