/**
 * Tar archives, read as a stream: chosen members only, each whole.
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source POSIX.1-1988 ustar, POSIX.1-2001 pax headers (`path`), and GNU's long names (type `L`).
 */

/** A file of an archive. */
export interface ArchiveMember {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The bytes are not a whole tar archive. */
export class TarError extends Error {
  override readonly name = "TarError";
  readonly file: string;
  /** Where it went wrong, counted from the start of the uncompressed archive. */
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid tar archive: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

const BLOCK = 512;
/** Headers that name the next member are short; anything longer is damage. */
const longestName = 1 << 16;

interface Header {
  readonly path: string;
  readonly size: number;
  readonly type: string;
}

/**
 * The members that `wanted` chooses, in the archive's order. Folders, links and devices are passed over.
 *
 * @param chunks  the uncompressed archive, cut anywhere.
 * @param file    its name, for messages.
 * @throws TarError for a damaged header and for an archive that ends too early.
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  wanted: (path: string) => boolean,
): AsyncGenerator<ArchiveMember, void, undefined> {
  const source = new ByteSource(chunks, file);
  let longName: string | undefined;
  for (;;) {
    const at = source.offset;
    const block = await source.take(BLOCK, "a header, or the two empty blocks at the end");
    if (block.every((byte) => byte === 0)) return;
    const header = parseHeader(block, file, at);
    const padded = Math.ceil(header.size / BLOCK) * BLOCK;
    if (header.type === "L" || header.type === "x") {
      if (header.size > longestName) throw new TarError(file, at, `a name of ${header.size} bytes`);
      const content = (await source.take(padded, "a long name")).subarray(0, header.size);
      longName = header.type === "L" ? text(content) : (paxPath(content) ?? longName);
      continue;
    }
    const path = longName ?? header.path;
    longName = undefined;
    if (isFile(header.type) && wanted(path)) {
      const bytes = await source.take(padded, `"${path}"`);
      yield { path, bytes: bytes.subarray(0, header.size) };
    } else await source.skip(padded, `"${path}"`);
  }
}

const isFile = (type: string): boolean => type === "0" || type === "\0" || type === "7";

function parseHeader(block: Uint8Array, file: string, at: number): Header {
  const stated = octal(block.subarray(148, 156));
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i];
  if (stated !== sum) {
    throw new TarError(file, at, `header checksum ${stated ?? "unreadable"}, the bytes sum to ${sum}`);
  }
  const size = octal(block.subarray(124, 136));
  if (size === undefined) throw new TarError(file, at + 124, "the size is no octal number");
  const name = text(block.subarray(0, 100));
  const prefix = text(block.subarray(257, 262)) === "ustar" ? text(block.subarray(345, 500)) : "";
  return { path: prefix ? `${prefix}/${name}` : name, size, type: String.fromCharCode(block[156]) };
}

/** Octal digits between spaces and zero bytes; undefined where they are anything else. */
function octal(field: Uint8Array): number | undefined {
  const digits = text(field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** Text up to the first zero byte. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** The `path` record of a pax header: lines of `<length> <key>=<value>\n`. */
function paxPath(content: Uint8Array): string | undefined {
  return /^\d+ path=(.*)$/m.exec(new TextDecoder().decode(content))?.[1];
}

/** Takes exact counts of bytes from chunks of any size. */
class ByteSource {
  /** Bytes taken so far. */
  offset = 0;
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly file: string;
  private left: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>, file: string) {
    this.chunks = chunks[Symbol.asyncIterator]();
    this.file = file;
  }

  async take(count: number, what: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    await this.each(count, what, (piece) => pieces.push(piece));
    const taken = new Uint8Array(count);
    let end = 0;
    for (const piece of pieces) {
      taken.set(piece, end);
      end += piece.length;
    }
    return taken;
  }

  skip(count: number, what: string): Promise<void> {
    return this.each(count, what, () => undefined);
  }

  private async each(count: number, what: string, visit: (piece: Uint8Array) => void): Promise<void> {
    for (let missing = count; missing > 0;) {
      if (this.left.length === 0) await this.refill(what);
      const piece = this.left.subarray(0, missing);
      visit(piece);
      this.left = this.left.subarray(piece.length);
      this.offset += piece.length;
      missing -= piece.length;
    }
  }

  private async refill(what: string): Promise<void> {
    const { done, value } = await this.chunks.next();
    if (done === true) throw new TarError(this.file, this.offset, `it ends here, wants ${what}`);
    this.left = value;
  }
}
