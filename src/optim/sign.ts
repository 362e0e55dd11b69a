/** The sign of a value, and magnitudes put back under it. */
import { f32, select, type Value } from "../kernels/program.ts";

/** 1, -1, or 0 for zero. */
export const signOf = (x: Value): Value => select(x.gt(0), f32(1), select(x.lt(0), f32(-1), f32(0)));
