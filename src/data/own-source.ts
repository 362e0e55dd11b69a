/** The corpus that every clone has: this project's own source and documents. Node only. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../io/file-error.ts";
import type { Corpus } from "./corpus.ts";
import { DataError } from "./data-error.ts";
import { walk } from "./files.ts";
import { loadFiles } from "./text.ts";

/** Name of the corpus, and of the recipe that trains on it. */
export const ownSource = "own-source";

/**
 * The folder of this package: the nearest one above this file that holds a `package.json`.
 *
 * @throws DataError when there is none.
 */
export function packageRoot(from: string = import.meta.url): string {
  for (let folder = dirname(fileURLToPath(from)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) throw new DataError(ownSource, "no package.json above this file");
  }
}

/**
 * Loads `src/**` TypeScript files and the `.md` documents of the root and of `docs/`, sorted by path.
 *
 * @param root  a clone's folder. Default: the one this file runs from.
 * @throws DataError when the folder is not a clone: the published package carries no sources.
 */
export async function loadOwnSource(root: string = packageRoot()): Promise<Corpus> {
  const source = join(root, "src");
  const documents = join(root, "docs");
  const code = existsSync(source) ? (await walk(source)).filter((path) => path.endsWith(".ts")) : [];
  if (code.length === 0) {
    throw new DataError(
      ownSource,
      `"${root}" is not a clone of the project; give a text: --data path/to/any.txt`,
    );
  }
  const deeper = existsSync(documents) ? await walk(documents) : [];
  const texts = [...(await filesIn(root)), ...deeper].filter((path) => path.endsWith(".md"));
  return loadFiles(ownSource, [...code, ...texts].toSorted(byPortablePath(root)));
}

/** Files of a folder itself. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new DataError(ownSource, new FileError("read", folder, cause).message, cause);
  });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
}

/** The same order on every system: by the path from the root, with "/" between. */
function byPortablePath(root: string): (a: string, b: string) => number {
  const portable = (path: string): string => relative(root, path).split(sep).join("/");
  return (a, b) => (portable(a) < portable(b) ? -1 : 1);
}
