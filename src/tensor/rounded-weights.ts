/** Weights as products read them, kept for as long as they are the same. */
import type { Storage } from "./storage.ts";
import { partsOf, type Tensor } from "./tensor.ts";

interface Entry {
  /** What tells roundings of one weight apart. */
  readonly precision: unknown;
  readonly axis: number;
  readonly rounded: Tensor;
}

/**
 * Rounded copies of weights within one step, so that each is made once, not once a use: for the forward and the backward pass
 * where both read the same, for blocks that are computed again, for every part of a batch. What no later use is known of is
 * not kept, since it would stand beside the weights in memory.
 *
 * Who writes a weight tells it with {@link forget}. The end of a step frees all.
 */
export class RoundedWeights {
  /** Whether another forward pass over the same weights follows in this step. */
  again = false;
  private readonly entries = new Map<Storage, Entry[]>();

  /** Bytes of all that is kept. */
  get bytes(): number {
    const all = [...this.entries.values()].flat();
    const parts = all.flatMap(({ rounded }) => partsOf(rounded));
    return parts.reduce((sum, { storage }) => sum + storage.bytes, 0);
  }

  /** What was kept of a weight in a precision, its scales along an axis. */
  find({ storage }: Tensor, precision: unknown, axis: number): Tensor | null {
    const entry = this.entries
      .get(storage)
      ?.find((each) => each.precision === precision && each.axis === axis);
    return entry?.rounded ?? null;
  }

  keep({ storage }: Tensor, precision: unknown, axis: number, rounded: Tensor): void {
    const entry = { precision, axis, rounded };
    const known = this.entries.get(storage);
    if (known) known.push(entry);
    else this.entries.set(storage, [entry]);
  }

  /** Lets go of one copy, which is the caller's to free. */
  take({ storage }: Tensor, rounded: Tensor): void {
    const rest = (this.entries.get(storage) ?? []).filter((each) => each.rounded !== rounded);
    if (rest.length > 0) this.entries.set(storage, rest);
    else this.entries.delete(storage);
  }

  /** Frees what was kept of a weight: it is about to change. */
  forget({ storage }: Tensor): void {
    for (const { rounded } of this.entries.get(storage) ?? [])
      for (const part of partsOf(rounded)) part.device.free(part);
    this.entries.delete(storage);
  }

  /** At the end of a step, which frees its tensors itself. */
  clear(): void {
    this.entries.clear();
    this.again = false;
  }
}
