/** NaN and infinities that come in: said where, before anything is done. */
import { QuantizeError } from "./quantize-error.ts";
import type { Source } from "./apply.ts";

/**
 * @throws QuantizeError naming the first element that is NaN or infinite, how many there are, and what to do.
 */
export function refuseNonFinite({ name, shape, values }: Source): void {
  const first = values.findIndex((value) => !Number.isFinite(value));
  if (first < 0) return;
  let nan = 0;
  let infinite = 0;
  for (const value of values) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  const place = indexOf(first, shape).join(", ");
  throw new QuantizeError(
    `"${name}"[${place}] is ${values[first]} (${nan} NaN, ${infinite} infinite in all): ` +
      "mend the array, or say --nan allow to count them and leave them out of scales and statistics",
  );
}

/** The indices of an element, by its place in row-major order. */
function indexOf(place: number, shape: readonly number[]): number[] {
  const indices: number[] = [];
  let rest = place;
  for (const size of shape.toReversed()) {
    indices.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return indices;
}
