/**
 * CIFAR's binary version: records of one or two label bytes and 3 × 32 × 32 pixel bytes, red plane first.
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source https://www.cs.toronto.edu/~kriz/cifar.html (binary version).
 */

/** Bytes of one image: channels, rows, columns. */
export const cifarImageBytes = 3 * 32 * 32;

/** Images and their labels, one byte each. */
export interface CifarRecords {
  /** [records, 3, 32, 32] */
  readonly images: Uint8Array;
  /** One array for each label byte: CIFAR-10 has one, CIFAR-100 coarse and fine. */
  readonly labels: readonly Uint8Array[];
}

/** The bytes are not whole CIFAR records. */
export class CifarError extends Error {
  override readonly name = "CifarError";
  readonly file: string;
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid CIFAR file: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

/**
 * Reads CIFAR records.
 *
 * @param file     its name, for messages.
 * @param classes  number of classes of each label byte: [10] for CIFAR-10, [20, 100] for CIFAR-100.
 * @throws CifarError when the file is empty, ends within a record, or has a label that no class has.
 */
export function parseCifar(bytes: Uint8Array, file: string, classes: readonly number[]): CifarRecords {
  const record = classes.length + cifarImageBytes;
  const count = Math.floor(bytes.length / record);
  if (bytes.length === 0) throw new CifarError(file, 0, "it is empty");
  if (count * record !== bytes.length) {
    throw new CifarError(file, bytes.length, `it ends within record ${count}; a record has ${record} bytes`);
  }
  const images = new Uint8Array(count * cifarImageBytes);
  const labels = classes.map(() => new Uint8Array(count));
  for (let i = 0; i < count; i++) {
    const start = i * record;
    for (const [which, limit] of classes.entries()) {
      const label = bytes[start + which];
      if (label >= limit) {
        throw new CifarError(file, start + which, `label ${label} of record ${i}, wants 0 to ${limit - 1}`);
      }
      labels[which][i] = label;
    }
    const pixels = bytes.subarray(start + classes.length, start + record);
    images.set(pixels, i * cifarImageBytes);
  }
  return { images, labels };
}
