/** Text that is known to be text. */
import { checkUtf8 } from "./corpus.ts";
import { DataError } from "./data-error.ts";
import type { FoundFile } from "./official-file.ts";

/**
 * A text file's bytes.
 *
 * @throws DataError naming the file, and the byte where it is not UTF-8; and when it is empty.
 */
export function checkedText({ path, bytes }: FoundFile): Uint8Array {
  if (bytes.length === 0) throw new DataError(path, "is empty: training needs text");
  checkUtf8(bytes, { path, from: 0, to: bytes.length });
  return bytes;
}
