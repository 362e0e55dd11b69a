/** Kernels of maximum pooling that read all places of a window at once. */
import { gather, type GatherKernel } from "../kernels/gather.ts";
import { f32, select, u32, type Value } from "../kernels/program.ts";
import { element, gathered, output, perRow, type Input } from "../kernels/signature.ts";

/** Where the place of a window's maximum stands: none yet. Places are kept as bytes. */
export const NO_PLACE = 255;

/** Windows of more places than this are read one place at a time: each input takes a register of the loop. */
export const MOST_TAPS = 9;

/** One maximum and another, NaN if either is; of equals `before`. */
export const laterMaximum = (before: Value, source: Value): Value =>
  select(source.le(before).or(before.ne(before)), before, source);

/** Kernels for windows of one number of places, which are inputs `tap0`, `tap1`, … */
interface WindowKernels {
  /** y = max over the taps; of rectified ones at least 0. */
  readonly maximum: GatherKernel;
  /** The first tap that equals `top`; {@link NO_PLACE} where none does, as with NaN, or where a rectified one is 0. */
  readonly place: GatherKernel;
}

const made = new Map<string, WindowKernels>();

/**
 * @param count      places of a window.
 * @param rectified  whether the maximum goes through a rectifier, whose derivative at 0 is 0.
 */
export function windowKernels(count: number, rectified: boolean): WindowKernels {
  const key = `${count}${rectified ? " rectified" : ""}`;
  const found = made.get(key) ?? makeKernels(count, rectified);
  made.set(key, found);
  return found;
}

function makeKernels(count: number, rectified: boolean): WindowKernels {
  const names = Array.from({ length: count }, (_, i) => `tap${i}`);
  const atLeast = (maximum: Value): Value => (rectified ? maximum.max(0) : maximum);
  const taps: Record<string, Input> = Object.fromEntries(names.map((name) => [name, gathered("f32")]));
  const maximum = gather("max pool of windows", "gather", taps, {}, (scope) =>
    output("f32", atLeast(names.map((name) => scope[name]).reduce(laterMaximum))),
  );
  const withTop: Record<string, Input> = { ...taps, top: element("f32") };
  const place = gather("max pool, which place of windows", "gather", withTop, {}, (scope) => {
    const firstOf = (later: Value, name: string, i: number): Value =>
      select(scope[name].eq(scope.top), u32(i), later);
    const first = names.reduceRight(firstOf, u32(NO_PLACE));
    return output("u8", rectified ? select(scope.top.gt(0), first, u32(NO_PLACE)) : first);
  });
  return { maximum, place };
}

/** What a pixel gets from the first window that covers it. */
export const takeFirst = gather(
  "max pool gradient",
  "gather",
  { dy: gathered("f32"), top: gathered("u8"), keep: perRow("f32"), place: perRow("u32") },
  {},
  ({ dy, top, keep, place }) => output("f32", select(keep.ne(0).and(top.eq(place)), dy, f32(0))),
);
