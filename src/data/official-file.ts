/** Finding the official files of a data set in a folder. Node only. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readMaybeGzip } from "../io/gunzip.ts";
import { DataError } from "./data-error.ts";

/**
 * The bytes of an official file: `<folder>/<name>`, or with `.gz`, or one folder down where archives unpack to.
 *
 * @throws DataError naming what was looked for; FileError when it cannot be read whole.
 */
export async function readOfficial(
  dataset: string,
  folder: string,
  name: string,
  below?: string,
): Promise<{ path: string; bytes: Uint8Array }> {
  const folders = below === undefined ? [folder] : [folder, join(folder, below)];
  const candidates = folders.flatMap((place) => [join(place, name), join(place, `${name}.gz`)]);
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new DataError(
      dataset,
      `no "${name}" or "${name}.gz" in "${folder}"; give the folder of the official files with --data-dir, ` +
        `or download them: logrung data get ${dataset}`,
    );
  }
  return { path, bytes: await readMaybeGzip(path) };
}
