/** What operations that are no products keep of their inputs for the backward pass. */
import { isCoded, type CodedTensor, type Tensor } from "../tensor/tensor.ts";
import { decoded, forKeeping, madeBy, rounded, type LayerPrecision } from "./operand.ts";

/** An input kept for the backward pass. */
export interface SavedInput {
  /** Tensors for the tape to free after the vjp. */
  readonly made: readonly Tensor[];
  /** Results that the vjp reads as they are; see the tape's `discard`. */
  readonly reads: readonly Tensor[];
  /** What was kept, where that is codes at one scale that kernels can decode on the way. */
  readonly codes: CodedTensor | null;
  /** Calls `body` with the float32 values of what was kept, which are gone after it. */
  readonly use: <T>(body: (values: Tensor) => T) => T;
}

/**
 * Keeps x in the policy's `saved` format, or as it is where there is none or nothing is recorded.
 *
 * The derivative is then taken at the rounded input, which changes the gradient a little and the result not at all.
 */
export function saveInput(x: Tensor, precision: LayerPrecision | null): SavedInput {
  const format = x.device.tape.recording && x.tracked ? (precision?.policy.saved ?? null) : null;
  const codes = rounded(
    x,
    format,
    { channel: 1, reduction: 1 },
    () => precision?.key("saved input") ?? [0, 0],
  );
  const kept = forKeeping(codes, x);
  return {
    made: madeBy(kept, x),
    reads: kept === x ? [x] : [],
    codes: isCoded(kept) && kept.encoding.scaleAxis === null && !kept.encoding.packed ? kept : null,
    use(body) {
      const { values, free } = decoded(kept);
      const result = body(values);
      free();
      return result;
    },
  };
}
