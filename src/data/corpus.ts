/** A text to learn from, as one run of bytes, and its parts for training and validation. */
import { sha256 } from "../io/sha256.ts";
import { DataError } from "./data-error.ts";
import { firstInvalidUtf8 } from "./utf8.ts";

/** `utf-8` refuses bytes that are no text; `bytes` takes anything. */
export type TextEncodingName = "utf-8" | "bytes";

/** One file of a corpus. */
export interface CorpusSource {
  readonly path: string;
  readonly bytes: number;
}

export interface Corpus {
  /** What was asked for, for messages. */
  readonly name: string;
  readonly sources: readonly CorpusSource[];
  readonly bytes: Uint8Array;
  /** Of all bytes; a checkpoint keeps it, so that a run does not go on with another text. */
  readonly sha256: string;
}

/** Where a file's bytes stand in the corpus. */
export interface SourceSpan {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** Most bytes of a corpus: one typed array, and positions that fit 31 bits. */
export const maxCorpusBytes = 2 ** 31;

/**
 * Checks bytes and makes a corpus of them.
 *
 * @param spans  the files the bytes come from, in order.
 * @throws DataError when there are no bytes, or bytes of a file are not UTF-8 (its path and the offset in it
 *   are named).
 */
export async function makeCorpus(
  name: string,
  bytes: Uint8Array,
  spans: readonly SourceSpan[],
  encoding: TextEncodingName,
): Promise<Corpus> {
  if (bytes.length === 0) throw new DataError(name, "is empty: training needs text");
  if (encoding === "utf-8") for (const span of spans) checkUtf8(bytes, span);
  const sources = spans.map(({ path, from, to }) => ({ path, bytes: to - from }));
  return { name, sources, bytes, sha256: await sha256([bytes]) };
}

/**
 * @param before  bytes of the file that came before the span.
 * @throws DataError naming file and byte where a span of a text is not UTF-8.
 */
export function checkUtf8(bytes: Uint8Array, { path, from, to }: SourceSpan, before = 0): void {
  const at = firstInvalidUtf8(bytes.subarray(from, to));
  if (at < 0) return;
  const found = bytes[from + at].toString(16).padStart(2, "0");
  throw new DataError(
    path,
    `not UTF-8: byte ${before + at} is 0x${found}; convert the file, or train on raw bytes with --data.encoding=bytes`,
  );
}

/** The two parts of a corpus. Views, not copies. */
export interface Split {
  readonly training: Uint8Array;
  readonly validation: Uint8Array;
}

/**
 * Parts a corpus: the last `fraction` is for validation, the rest for training.
 *
 * The end, and not random pieces, because neighbouring windows share text: a model must not be judged on what
 * it has half seen.
 *
 * @param fraction  of the bytes, 0 to 1, exclusive. Default 0.1.
 * @param context   bytes a window holds; each part must hold one window and the byte after it.
 * @throws DataError when either part is too short.
 */
export function splitCorpus(corpus: Corpus, context: number, fraction = 0.1): Split {
  const { bytes, name } = corpus;
  const at = bytes.length - Math.floor(bytes.length * fraction);
  const split = { training: bytes.subarray(0, at), validation: bytes.subarray(at) };
  const least = context + 1;
  const shortest = Math.min(split.training.length, split.validation.length);
  if (shortest >= least) return split;
  const needed = Math.ceil(least / Math.min(fraction, 1 - fraction));
  throw new DataError(
    name,
    `too short: ${bytes.length} bytes, of which ${split.training.length} train and ` +
      `${split.validation.length} validate; a context of ${context} needs ${least} in each, about ${needed} in ` +
      "all; give more text or a smaller --model.context",
  );
}
