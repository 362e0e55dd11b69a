import { describe, expect, it } from "vitest";

import { aroundEdges, exactly, patterns, ulpError } from "../../../test/conformance/kernels/ulp.ts";
import { pointwise } from "../pointwise.ts";
import { f32, input, type Value } from "../program.ts";
import { createReferenceBackend } from "../reference/index.ts";
import { element, output } from "../signature.ts";
import { expand, expansions, type ExpandedOp } from "./index.ts";

const STRIDE = 24_571;
const machine = createReferenceBackend({ precision: "float32" });

/** f of every x, each step rounded to float32. */
async function valuesOf(f: (x: Value) => Value, xs: Float32Array): Promise<ArrayLike<number>> {
  const kernel = pointwise("f", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", f(x)) }));
  const [x, y] = [machine.allocate(xs.byteLength), machine.allocate(xs.byteLength)];
  machine.write({ buffer: x, offset: 0 }, xs);
  machine.run(machine.compile(kernel), {
    inputs: { x: { buffer: x, offset: 0 } },
    outputs: { y: { buffer: y, offset: 0 } },
    sizes: { rows: 1, columns: xs.length },
  });
  const values = await machine.read({ buffer: y, offset: 0 }, "f32", xs.length);
  machine.free(x);
  machine.free(y);
  return values;
}

async function worst(op: ExpandedOp, xs: Float32Array): Promise<{ error: number; x: number }> {
  const got = await valuesOf(expansions[op], xs);
  let found = { error: 0, x: 0 };
  for (let i = 0; i < xs.length; i++) {
    const error = ulpError(got[i], exactly[op](xs[i]));
    if (error > found.error) found = { error, x: xs[i] };
  }
  return found;
}

describe.each(Object.keys(expansions) as ExpandedOp[])("%s", (op) => {
  it("stays within 2 ulp over all floats", async () => {
    const found = await worst(op, patterns(0, STRIDE, Math.floor(2 ** 32 / STRIDE)));
    expect(found.error, `at ${found.x}`).toBeLessThanOrEqual(2);
  });

  it("stays within 2 ulp float by float around the edges", async () => {
    const found = await worst(op, aroundEdges(300));
    expect(found.error, `at ${found.x}`).toBeLessThanOrEqual(2);
  });

  it.each([0, -0, Infinity, -Infinity, NaN])("of %d is what C99 says", async (x) => {
    const [got] = Array.from(await valuesOf(expansions[op], new Float32Array([x])));
    expect(got).toBe(Math.fround(exactly[op](x)));
  });
});

describe("exactness", () => {
  const integers = Float32Array.from({ length: 277 }, (_, i) => i - 149);

  it("exp2 of integers", async () => {
    expect(Array.from(await valuesOf(expansions.exp2, integers))).toEqual([...integers].map((n) => 2 ** n));
  });

  it("log2 of powers of two, subnormals too", async () => {
    const powers = integers.map((n) => 2 ** n);
    expect(Array.from(await valuesOf(expansions.log2, powers))).toEqual([...integers]);
  });

  it("tanh of tiny numbers is themselves", async () => {
    const tiny = Float32Array.from({ length: 120 }, (_, i) => -1.7 * 2 ** (-i - 30));
    expect(Array.from(await valuesOf(expansions.tanh, tiny))).toEqual([...tiny]);
  });

  it("the sigmoids reach 1 and no further", async () => {
    const large = new Float32Array([3.93, 9.02, 10, 11, 1e10, 3e38, Infinity]);
    expect(Array.from(await valuesOf(expansions.erf, large))).toEqual(Array(7).fill(1));
    expect(Array.from(await valuesOf(expansions.tanh, large.slice(1)))).toEqual(Array(6).fill(1));
  });
});

describe("expand", () => {
  it("rewrites its own operation only, and the same value the same way", () => {
    const x = input("x", "f32");
    const wave = x.log().exp();
    const written = expand(wave);
    expect(written.node).not.toMatchObject({ kind: "unary", op: "exp" });
    expect(expand(wave)).toBe(written);
    expect(expand(x)).toBe(x);
    expect(expand(x.sqrt())).toMatchObject({ node: { op: "sqrt" } });
    expect(expand(f32(2))).toMatchObject({ node: { kind: "constant" } });
  });
});
