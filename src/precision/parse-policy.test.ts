import { describe, expect, it } from "vitest";
import { UnknownFormatError } from "../formats/format.ts";
import { parsePolicy, PolicyError } from "./parse-policy.ts";
import { presets } from "./presets.ts";

describe("parsePolicy", () => {
  it("finds presets by name, and every preset is one that it would accept", () => {
    expect(parsePolicy("fp32").update).toBeNull();
    for (const [name, preset] of Object.entries(presets)) {
      expect(parsePolicy(name)).toEqual(preset);
      expect(parsePolicy({ ...preset })).toEqual(preset);
    }
  });

  it("changes single entries of a preset, with defaults for what an entry leaves out", () => {
    const policy = parsePolicy({
      preset: "lns-madam-8",
      error: null,
      activation: "bf16",
      update: { format: "lns12-g256", rounding: "stochastic" },
      moment: { second: { format: "bf16", scale: 1 } },
    });
    expect(policy.name).toBe("custom");
    expect(policy.error).toBeNull();
    expect(policy.activation).toEqual({ format: "bf16", rounding: "nearest-even", scale: "tensor" });
    expect(policy.update).toEqual({ format: "lns12-g256", rounding: "stochastic", scale: "tensor" });
    expect(policy.moment.first).toEqual(presets["lns-madam-8"].moment.first);
    expect(policy.moment.second).toEqual({ format: "bf16", rounding: "nearest-even", scale: 1 });
    expect(policy.gradient).toEqual(presets["lns-madam-8"].gradient);
  });

  it.each([
    ["stat8", /unknown precision policy "stat8" \(did you mean "state8"\? known: fp32, state8/],
    [{ wieght: null }, /unknown key "wieght" in precision policy \(did you mean "weight"\?/],
    [{ preset: "fp23" }, /did you mean "fp32"\?/],
    [{ error: 8 }, /error is 8, wants null, a format or an object/],
    [
      { error: { format: "bf16", round: "nearest-even" } },
      /unknown key "round" in error \(did you mean "rounding"/,
    ],
    [{ error: { rounding: "stochastic" } }, /error.format is undefined/],
    [{ error: { format: "bf16", rounding: "nearest" } }, /unknown error.rounding "nearest" \(did you mean/],
    [
      { error: { format: "bf16", scale: 3 } },
      /error.scale is 3, wants "tensor", "channel" or a power of two/,
    ],
    [{ moment: { third: null } }, /unknown key "third" in moment/],
    [{ moment: "bf16" }, /moment is "bf16", wants \{ first, second \}/],
    [{ name: 3 }, /name is 3/],
    [undefined, /unknown precision policy undefined/],
    ["toString", /unknown precision policy "toString"/],
  ])("refuses %j", (policy, message) => {
    expect(() => parsePolicy(policy)).toThrow(PolicyError);
    expect(() => parsePolicy(policy)).toThrow(message);
  });

  it("passes on what is wrong with a format", () => {
    expect(() => parsePolicy({ update: "lns8-g3" })).toThrow(UnknownFormatError);
  });

  it("takes scales per channel for operands of products, not for what the optimiser holds", () => {
    const scaled = { format: "lns8-g8", scale: "channel" };
    expect(parsePolicy({ activation: scaled, weight: scaled }).weight?.scale).toBe("channel");
    for (const role of ["gradient", "update", "embedding"])
      expect(() => parsePolicy({ [role]: scaled })).toThrow(`${role}.scale is "channel"`);
    expect(() => parsePolicy({ moment: { first: scaled } })).toThrow('moment.first.scale is "channel"');
  });
});
