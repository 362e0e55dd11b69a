/** Parts of a model that are computed again in the backward pass instead of keeping what it reads. */
import { pullBack } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * y = body(x), of which only x is kept: the backward pass runs `body` again, recording, and goes back through it.
 *
 * Costs one more forward pass of the body; saves all that its operations would keep. The body must do the same both times: random
 * numbers by key do, and operations that keep statistics heed `tape.replaying`.
 *
 * @param parameters  the tracked tensors that the body reads besides x.
 * @source Chen et al. 2016, Training deep nets with sublinear memory cost.
 */
export function recomputed(x: Tensor, parameters: readonly Tensor[], body: (x: Tensor) => Tensor): Tensor {
  const { tape } = x.device;
  if (!tape.recording) return body(x);
  const y = tape.holding(x, () => tape.unrecorded(() => body(x)));
  return tape.record(
    [x, ...parameters],
    y,
    [],
    (dy) => {
      const again = tape.holding(x, () => tape.replay(() => body(x)));
      const gradients = pullBack(again, dy);
      if (again.storage !== x.storage) x.device.free(again);
      return [x, ...parameters].map((input) => gradients.get(input) ?? null);
    },
    [x],
  );
}
