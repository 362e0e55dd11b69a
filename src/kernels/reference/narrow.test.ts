import { describe, expect, it } from "vitest";
import { erf } from "./erf.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "./narrow.ts";

describe.each([
  { name: "bf16", to: toBf16, from: fromBf16, infinity: 0x7f80, least: 2 ** -133 },
  { name: "f16", to: toF16, from: fromF16, infinity: 0x7c00, least: 2 ** -24 },
])("$name", ({ to, from, infinity, least }) => {
  it("gives every pattern back, NaNs as one", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const size = bits & 0x7fff;
      if (size > infinity) expect(to(from(bits)) & 0x7fff).toBeGreaterThan(infinity);
      else if (to(from(bits)) !== bits) expect(to(from(bits))).toBe(bits);
    }
  });

  it("rounds halves to the even pattern and never past a neighbour", () => {
    for (let bits = 0; bits < infinity - 1; bits++) {
      const middle = (from(bits) + from(bits + 1)) / 2;
      const even = bits + (bits & 1);
      if (to(middle) !== even) expect(to(middle)).toBe(even);
      if (to(middle * (1 + 2 ** -40)) !== bits + 1) expect(to(middle * (1 + 2 ** -40))).toBe(bits + 1);
    }
  });

  it("keeps the sign of zero, overflows to infinity, underflows to zero", () => {
    expect(to(-0)).toBe(0x8000);
    expect(to(-1e39)).toBe(infinity | 0x8000);
    expect(to(least / 2)).toBe(0);
    expect(to(-least * 0.51)).toBe(0x8001);
  });
});

describe("erf", () => {
  // Worked out to 30 digits with mpmath 1.3 (mp.erf), rounded to doubles.
  it.each([
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.499999999, 0.9995930479803767],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [1e-300, 1.1283791670955126e-300],
  ])("of %d", (x, value) => {
    expect(Math.abs(erf(x) / value - 1)).toBeLessThan(2e-15);
    expect(erf(-x)).toBe(-erf(x));
  });

  it("keeps the edges", () => {
    expect(erf(-0)).toBe(-0);
    expect(erf(-Infinity)).toBe(-1);
    expect(erf(NaN)).toBeNaN();
  });
});
