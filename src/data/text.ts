/** Loading text from files. Node only. */
import { FileError } from "../io/file-error.ts";
import { fileSize, readInto } from "../io/read-file.ts";
import { type Corpus, makeCorpus, maxCorpusBytes, type SourceSpan, type TextEncodingName } from "./corpus.ts";
import { DataError } from "./data-error.ts";
import { findFiles } from "./files.ts";

export interface LoadTextOptions {
  /** Default `utf-8`: a binary file given by mistake is refused, not learnt. */
  readonly encoding?: TextEncodingName;
  /** Folder that relative paths start from. Default the working folder. */
  readonly cwd?: string;
  /** Most bytes in all. Default 2 GiB, see {@link maxCorpusBytes}. */
  readonly limit?: number;
}

/**
 * Loads files, folders and patterns as one corpus (see `findFiles` for what they stand for).
 *
 * The bytes are read into one array and never become a string, so a text of 100 MB costs 100 MB. Where text
 * files are joined and one does not end in a line break, one is put between.
 *
 * @throws DataError when something is missing, unreadable, empty, not UTF-8, or larger than the limit.
 */
export async function loadText(
  paths: string | readonly string[],
  options: LoadTextOptions = {},
): Promise<Corpus> {
  const { encoding = "utf-8", cwd = process.cwd(), limit = maxCorpusBytes } = options;
  const given = typeof paths === "string" ? [paths] : paths;
  return loadFiles(given.join(", "), await findFiles(given, cwd), encoding, limit);
}

/**
 * Loads a list of files as one corpus, in that order.
 *
 * @param name  what to call it in messages.
 * @throws DataError as {@link loadText}.
 */
export async function loadFiles(
  name: string,
  files: readonly string[],
  encoding: TextEncodingName = "utf-8",
  limit = maxCorpusBytes,
): Promise<Corpus> {
  try {
    const { bytes, spans } = await readJoined(name, files, encoding === "utf-8", limit);
    return await makeCorpus(name, bytes, spans, encoding);
  } catch (error) {
    if (error instanceof FileError) throw new DataError(name, error.message.replace("logrung: ", ""), error);
    throw error;
  }
}

async function readJoined(
  name: string,
  files: readonly string[],
  separate: boolean,
  limit: number,
): Promise<{ bytes: Uint8Array; spans: SourceSpan[] }> {
  const sizes: number[] = [];
  for (const path of files) sizes.push(await fileSize(path));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > limit) {
    throw new DataError(
      name,
      `${total} bytes, the limit is ${limit}; give a part of it (head -c ${limit} <file>)`,
    );
  }
  const whole = allocate(name, total + files.length);
  const spans: SourceSpan[] = [];
  let end = 0;
  for (const [index, path] of files.entries()) {
    if (separate && end > 0 && whole[end - 1] !== lineBreak) whole[end++] = lineBreak;
    const span = { path, from: end, to: end + sizes[index] };
    await readInto(path, whole.subarray(span.from, span.to));
    spans.push(span);
    end = span.to;
  }
  return { bytes: whole.subarray(0, end), spans };
}

const lineBreak = 10;

function allocate(name: string, bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new DataError(name, `${bytes} bytes do not fit into memory; give a part of it`, cause);
  }
}
