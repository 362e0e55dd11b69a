/** jax-js with every array written down that is made through it, to find those that nobody disposed of. */
import type * as jaxjs from "@jax-js/jax";

type Jax = typeof jaxjs;
type Arr = jaxjs.numpy.Array;

/** The functions of `numpy` that the transformations call outside of `jit`. */
const makers = ["array", "add", "subtract"] as const;

/**
 * @returns a jax to hand to the library, and the arrays made through it that are alive. What is made while `jit` traces is
 *   no array and is left out.
 */
export function recordedJax(jax: Jax): { recorded: Jax; alive: () => Arr[] } {
  const made: Arr[] = [];
  let tracing = 0;
  const note = <T extends jaxjs.JsTree<Arr>>(result: T): T => {
    if (tracing === 0) made.push(...jax.tree.leaves<Arr>(result));
    return result;
  };
  const numpy = Object.fromEntries(
    makers.map((name) => {
      const make = jax.numpy[name] as (...given: unknown[]) => Arr;
      return [name, (...given: unknown[]) => note(make(...given))];
    }),
  );
  const jit = (f: (...given: unknown[]) => jaxjs.JsTree<Arr>) => {
    const compiled = jax.jit((...given: unknown[]) => {
      tracing++;
      try {
        return f(...given);
      } finally {
        tracing--;
      }
    }) as unknown as (...given: unknown[]) => jaxjs.JsTree<Arr>;
    return (...given: unknown[]) => note(compiled(...given));
  };
  const recorded = { ...jax, numpy: { ...jax.numpy, ...numpy }, jit } as unknown as Jax;
  return { recorded, alive: () => made.filter((x) => x.refCount > 0) };
}
