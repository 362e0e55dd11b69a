/** From what a user gives (files, folders, patterns) to a sorted list of files. Node only. */
import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { FileError, systemCode } from "../io/file-error.ts";
import { DataError } from "./data-error.ts";

/** Folders that never hold a user's text. */
const skipped = new Set(["node_modules", "dist"]);

/**
 * The files that paths and patterns stand for, each once, in the order given; a folder's or a pattern's own
 * files sorted by path, so that the same folder gives the same corpus everywhere.
 *
 * - a file stands for itself;
 * - a folder for every file in it, at any depth, but hidden ones, `node_modules` and `dist`;
 * - in a pattern `*` and `?` match within a name, `**` any number of folders.
 *
 * @throws DataError when a path does not exist or a pattern matches nothing.
 */
export async function findFiles(given: readonly string[], cwd = process.cwd()): Promise<string[]> {
  const found: string[] = [];
  for (const path of given) found.push(...(await expand(path, cwd)));
  return [...new Set(found)];
}

async function expand(given: string, cwd: string): Promise<string[]> {
  const path = resolve(cwd, given);
  const kind = await kindOf(path, given);
  if (kind === "file") return [path];
  const pattern = kind === "missing" && /[*?]/.test(given);
  if (kind === "missing" && !pattern) throw new DataError(given, "no such file or folder");
  const files = pattern ? await matching(path) : await walk(path);
  if (files.length === 0)
    throw new DataError(given, pattern ? "matches no file" : "the folder holds no file");
  return files.toSorted();
}

async function kindOf(path: string, given: string): Promise<"file" | "folder" | "missing"> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(cause))) return "missing";
    throw new DataError(given, new FileError("read", path, cause).message, cause);
  }
}

async function matching(pattern: string): Promise<string[]> {
  const parts = pattern.split(sep);
  const wild = parts.findIndex((part) => /[*?]/.test(part));
  const base = parts.slice(0, wild).join(sep) || sep;
  if ((await kindOf(base, pattern)) !== "folder") return [];
  const expression = patternExpression(parts);
  return (await walk(base)).filter((path) => expression.test(path));
}

function patternExpression(parts: readonly string[]): RegExp {
  const source = parts.map((part, index) => {
    const last = index === parts.length - 1;
    if (part === "**") return last ? ".*" : String.raw`(?:[^/\\]+[/\\])*`;
    return nameExpression(part) + (last ? "" : String.raw`[/\\]`);
  });
  return new RegExp(`^${source.join("")}$`);
}

function nameExpression(name: string): string {
  return name
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", String.raw`[^/\\]*`)
    .replaceAll("?", String.raw`[^/\\]`);
}

/** Regular files below a folder. Linked folders are not followed: they may lead around in a circle. */
export async function walk(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new DataError(folder, new FileError("read", folder, cause).message, cause);
  });
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory() && !skipped.has(entry.name)) files.push(...(await walk(path)));
    else if (entry.isFile()) files.push(path);
    else if (entry.isSymbolicLink() && (await kindOf(path, path)) === "file") files.push(path);
  }
  return files;
}
