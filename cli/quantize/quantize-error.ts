/** Thrown for an array that cannot be quantised as asked; the message says what to do. */
export class QuantizeError extends Error {
  override readonly name = "QuantizeError";

  constructor(message: string) {
    super(`logrung: ${message}`);
  }
}
