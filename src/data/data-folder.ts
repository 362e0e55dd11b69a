/** Where data sets lie. Node only. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { suggestion } from "../formats/nearest-name.ts";
import { DataError } from "./data-error.ts";
import type { Dataset } from "./dataset.ts";
import { filesOf, findFile } from "./official-file.ts";
import { datasets } from "./sets/datasets.generated.ts";

export interface DataFolderOptions {
  /** What the user gave as `--data-dir`. */
  readonly dataDir?: string | undefined;
  /** The environment: `LOGRUNG_DATA` names the data folder where `--data-dir` does not. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. Default the working folder. */
  readonly cwd?: string;
}

/** The folder that holds a folder for each set: `--data-dir`, else `LOGRUNG_DATA`, else `~/.cache/logrung`. */
export function dataFolder({
  dataDir,
  env = process.env,
  cwd = process.cwd(),
}: DataFolderOptions = {}): string {
  const given = dataDir ?? env.LOGRUNG_DATA;
  return given === undefined || given === "" ? join(homedir(), ".cache", "logrung") : resolve(cwd, given);
}

/** Every registered set, by name. */
export const allDatasets = (): readonly Dataset[] => Object.values(datasets);

/**
 * A registered set.
 *
 * @throws DataError for an unknown name, with the nearest one.
 */
export function findDataset(name: string): Dataset {
  const found = allDatasets().find((dataset) => dataset.name === name);
  if (found) return found;
  throw new DataError(name, `no such data set ${suggestion(name, Object.keys(datasets))}`);
}

/**
 * The folder of a set's files: `<data folder>/<set>`; the data folder itself where that holds its files, so that `--data-dir` may
 * name either.
 */
export function folderOf(dataset: Dataset, root: string): string {
  const own = join(root, dataset.folder ?? dataset.name);
  const holdsFiles = filesOf(dataset).some((file) => findFile(dataset, root, file) !== undefined);
  return holdsFiles && !existsSync(own) ? root : own;
}
