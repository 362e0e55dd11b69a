/** Thrown where bytes are not an npy file, or one that is not read. */
export class NpyError extends Error {
  override readonly name = "NpyError";
  readonly file: string;
  /** Where it went wrong, counted from the start of the file. */
  readonly byte: number;
  readonly reason: string;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not an npy file that can be read: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
    this.reason = reason;
  }
}
