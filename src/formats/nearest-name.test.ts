import { expect, it } from "vitest";
import { nearestName, suggestion } from "./nearest-name.ts";

it("finds what was meant through letters missing, wrong, doubled or swapped", () => {
  const known = ["adam", "adamw", "lns-madam", "madam", "sgd"];
  const meant = { amad: "adam", adamW: "adamw", "lns-mdaam": "lns-madam", maddam: "madam", sdg: "sgd" };
  for (const [name, nearest] of Object.entries(meant)) expect(nearestName(name, known)).toBe(nearest);
});

it("does not guess when nothing is near", () => {
  expect(nearestName("transformer", ["adam", "sgd"])).toBeUndefined();
  expect(suggestion("transformer", ["adam", "sgd"])).toBe("(known: adam, sgd)");
  expect(suggestion("lmdd", ["adam", "lmd"])).toBe('(did you mean "lmd"? known: adam, lmd)');
});

it("takes the beginning of a name for the name", () => {
  const known = ["nvfp4", "fp8-e4m3", "mxfp4-e2m1"];
  expect(nearestName("mxfp4", known)).toBe("mxfp4-e2m1");
  expect(nearestName("fp8", known)).toBe("fp8-e4m3");
  expect(nearestName("mx", known)).toBeUndefined();
});
