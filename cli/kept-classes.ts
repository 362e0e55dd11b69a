/** The names of classes that a run keeps, so that it can be scored where its training data are not. */
import { DataError } from "../src/data/data-error.ts";
import { keptTokenizer } from "../src/train/run-tokenizer.ts";

/** The file beside the tokeniser's in which a run keeps its classes. */
export const classesFile = "classes.json";

/** The classes that a run was begun with. @throws DataError where its file is missing or damaged, FileError. */
export async function keptClasses(run: string): Promise<string[]> {
  const text = (await keptTokenizer(run))[classesFile] ?? "";
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((name) => typeof name === "string")) return value;
  } catch (cause) {
    throw new DataError(run, `tokenizer/${classesFile} is missing or damaged`, cause);
  }
  throw new DataError(run, `tokenizer/${classesFile} is no list of classes`);
}
