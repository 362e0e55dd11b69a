/** Rules that differ from a registered one by one part, to measure what the part is worth. */
import { optimizer as rung } from "../../src/optim/rung.ts";
import { select, type Value } from "../../src/kernels/program.ts";
import type { Optimizer, UpdateScope } from "../../src/optim/optimizer.ts";
import { signOf } from "../../src/optim/sign.ts";

/** Rung's new weight, changed by `change`. */
const changing = (
  name: string,
  summary: string,
  change: (
    x: Value,
    scope: UpdateScope,
    ladder: { readonly lowest: Value; readonly perOctave: number },
  ) => Value,
): Optimizer => ({
  ...rung,
  name,
  summary,
  update(scope, variant) {
    const update = rung.update(scope, variant);
    const { octavesPerRung, rungs } = variant;
    if (update.kind !== "steps" || octavesPerRung === null || rungs === null) return update;
    const { decay, rate, step } = update;
    const kept = decay ? scope.w.sub(scope.w.mul(decay)) : scope.w;
    const x = kept.sub(rate.mul(step));
    const lowest = scope.scale.mul(2 ** ((1 - rungs) * octavesPerRung)); // the smallest weight that is not zero
    return { kind: "additive", value: change(x, scope, { lowest, perOctave: 1 / octavesPerRung }) };
  },
});

export const variants: Readonly<Record<string, Optimizer>> = {
  "rung-fixed-top": {
    ...rung,
    name: "rung-fixed-top",
    summary: "rung whose top stays where it starts: `scale` initial root mean squares",
    state(options) {
      const { m, v } = rung.state(options);
      return { m, v };
    },
    reductions: () => ({}),
  },
  "rung-signs-kept": changing(
    "rung-signs-kept",
    "rung whose weights stop at the lowest rung and keep their signs",
    (x, { w }, { lowest }) => signOf(w).mul(x.mul(signOf(w)).max(lowest)),
  ),
  // |x| = ℓ p is rounded to ℓ with probability p: here p is what rounding in the logarithm gives.
  "rung-log-zero": changing(
    "rung-log-zero",
    "rung that rounds in the logarithm below the lowest rung too, as the format does",
    (x, _, { lowest, perOctave }) => {
      const size = x.abs().div(lowest);
      const share = size
        .max(2 ** -20)
        .log2()
        .fma(perOctave, 1)
        .max(0);
      return select(size.lt(1), signOf(x).mul(lowest.mul(share)), x);
    },
  ),
};
