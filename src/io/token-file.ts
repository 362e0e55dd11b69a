/**
 * Token files: symbols as unsigned 16-bit little-endian numbers, nothing else; nanoGPT's `train.bin`. Read a window at a time, so a
 * corpus may be larger than memory. Node only.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { FileError } from "./file-error.ts"; // prettier-ignore

/** The bytes are no token file, or a symbol in it has no place in the vocabulary. */
export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
  readonly file: string;
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid token file: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

/** A token file that is open. */
export interface TokenFile {
  /** Symbols in all. */
  readonly length: number;
  /**
   * Symbols `from` to `to`, exclusive, read from the file now.
   *
   * @throws TokenFileError when a symbol is not below the vocabulary; FileError when the file shrank.
   */
  window(from: number, to: number): Uint16Array;
  close(): void;
}

/**
 * Opens a token file. Only windows that are asked for are read; the system's cache keeps what is read often.
 *
 * @param vocabulary  number of different symbols, at most 65,536.
 * @throws FileError when it cannot be opened; TokenFileError when it is empty or ends within a number.
 */
export function openTokenFile(path: string, vocabulary: number): TokenFile {
  const descriptor = attempt(path, () => openSync(path, "r"));
  try {
    const found = attempt(path, () => fstatSync(descriptor));
    if (!found.isFile()) throw new FileError("read", path, new Error("it is not a regular file"));
    if (found.size === 0) throw new TokenFileError(path, 0, "it is empty");
    if (found.size % 2 === 1)
      throw new TokenFileError(path, found.size - 1, "it ends within a 16-bit number");
    return {
      length: found.size / 2,
      window: (from, to) => readWindow(path, descriptor, vocabulary, from, to),
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function readWindow(path: string, descriptor: number, vocabulary: number, from: number, to: number): Uint16Array {
  const bytes = new Uint8Array(2 * (to - from));
  for (let done = 0; done < bytes.length;) {
    const at = 2 * from + done;
    const count = attempt(path, () => readSync(descriptor, bytes, done, bytes.length - done, at));
    if (count === 0) throw new FileError("read", path, new Error(`it ended at byte ${at} while it was read`));
    done += count;
  }
  const view = new DataView(bytes.buffer);
  const symbols = Uint16Array.from({ length: to - from }, (_, i) => view.getUint16(2 * i, true));
  const wrong = symbols.findIndex((symbol) => symbol >= vocabulary);
  if (wrong < 0) return symbols;
  const reason = `symbol ${symbols[wrong]}, wants 0 to ${vocabulary - 1}: is it of another tokeniser?`;
  throw new TokenFileError(path, 2 * (from + wrong), reason);
} // prettier-ignore

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new FileError("read", path, cause);
  }
}

/**
 * Writes symbols as a token file, piece by piece. It lies beside its place until it is whole, so a file of that name is
 * never a part of one.
 *
 * @returns how many symbols were written.
 * @throws RangeError for a symbol that does not fit 16 bits; FileError when it cannot be written; what `pieces` throw.
 */
export async function writeTokenFile(
  path: string,
  pieces: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
): Promise<number> {
  const unfinished = `${path}.part`;
  try {
    const length = await writePieces(path, unfinished, pieces);
    await rename(unfinished, path).catch(failed(path));
    return length;
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {
      // The first failure is the one to tell.
    });
    throw error;
  }
}

const failed =
  (path: string) =>
  (cause: unknown): never => {
    throw new FileError("write", path, cause);
  };

async function writePieces(
  path: string,
  unfinished: string,
  pieces: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
): Promise<number> {
  let length = 0;
  const file = await open(unfinished, "w").catch(failed(path));
  try {
    for await (const piece of pieces) {
      await file.appendFile(littleEndian(piece)).catch(failed(path));
      length += piece.length;
    }
  } finally {
    await file.close();
  }
  return length;
}

function littleEndian(symbols: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * symbols.length));
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] > 0xffff) throw new RangeError(`logrung: symbol ${symbols[i]} does not fit 16 bits`);
    view.setUint16(2 * i, symbols[i], true);
  }
  return new Uint8Array(view.buffer);
}
