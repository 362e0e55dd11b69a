/** What a run keeps of its tokeniser, so that it can be scored, sampled from and gone on with where its data are not. Node only. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../io/atomic-file.ts";
import { FileError, systemCode } from "../io/file-error.ts";

const folderOf = (run: string): string => join(run, "tokenizer");

/** Writes a tokeniser's files into `<run>/tokenizer`; nothing where it has none. @throws FileError. */
export async function keepTokenizer(run: string, files: Readonly<Record<string, string>>): Promise<void> {
  const entries = Object.entries(files);
  if (entries.length === 0) return;
  const folder = folderOf(run);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new FileError("write", folder, cause);
  });
  for (const [name, text] of entries) await writeFileAtomic(join(folder, name), text);
}

/** The files in `<run>/tokenizer` by name; none where the run keeps none. @throws FileError. */
export async function keptTokenizer(run: string): Promise<Readonly<Record<string, string>>> {
  const folder = folderOf(run);
  const names = await readdir(folder).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return [];
    throw new FileError("read", folder, cause);
  });
  const read = async (name: string): Promise<[string, string]> => {
    const path = join(folder, name);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new FileError("read", path, cause);
    });
    return [name, text];
  };
  return Object.fromEntries(await Promise.all(names.map(read)));
}
