/**
 * IDX, the file format of MNIST: unsigned bytes in an array of any rank.
 *
 *   u8 0 · u8 0 · u8 type (8: unsigned byte) · u8 rank · rank × u32 big-endian sizes · the elements, row-major
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source http://yann.lecun.com/exdb/mnist/ (the section on the IDX file format).
 */

/** An array of unsigned bytes. `data` is a view into the file's bytes. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The bytes are not a whole IDX file of unsigned bytes. */
export class IdxError extends Error {
  override readonly name = "IdxError";
  readonly file: string;
  /** Where it went wrong, counted from the start of the (uncompressed) file. */
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid IDX file: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

const UNSIGNED_BYTE = 8;

/**
 * Reads an IDX file of unsigned bytes.
 *
 * @param file  its name, for messages.
 * @param rank  how many sizes it must have: 3 for images, 1 for labels.
 * @throws IdxError for another magic number, element type or rank, and for a file that is too short or too long.
 */
export function parseIdx(bytes: Uint8Array, file: string, rank: number): IdxArray {
  const header = 4 + 4 * rank;
  if (bytes.length < 4) throw new IdxError(file, bytes.length, "it ends within the magic number");
  if (bytes[0] !== 0 || bytes[1] !== 0)
    throw new IdxError(
      file,
      0,
      `starts with ${bytes[0]} ${bytes[1]}, wants two zeros (is it still compressed?)`,
    );
  if (bytes[2] !== UNSIGNED_BYTE)
    throw new IdxError(file, 2, `elements are of type ${bytes[2]}, wants ${UNSIGNED_BYTE}, unsigned bytes`);
  if (bytes[3] !== rank)
    throw new IdxError(file, 3, `has ${bytes[3]} sizes, wants ${rank} (are images and labels swapped?)`);
  if (bytes.length < header) throw new IdxError(file, bytes.length, "it ends within the sizes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const end = header + shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== end) {
    const fault =
      bytes.length < end ? `it ends here, wants ${end} bytes` : `${bytes.length - end} bytes too many`;
    throw new IdxError(file, Math.min(bytes.length, end), `${fault} for shape [${shape.join(", ")}]`);
  }
  return { shape, data: bytes.subarray(header) };
}
