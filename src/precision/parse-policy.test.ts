import { readFileSync } from "node:fs";
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
    expect(policy.activation).toEqual({ format: "bf16", rounding: "nearest-even", scale: "none" });
    expect(policy.saved).toEqual(policy.activation);
    expect(policy.update).toEqual({ format: "lns12-g256", rounding: "stochastic", scale: "tensor" });
    expect(policy.moment.first).toEqual(presets["lns-madam-8"].moment.first);
    expect(policy.moment.second).toEqual({ format: "bf16", rounding: "nearest-even", scale: 1 });
    expect(policy.gradient).toEqual(presets["lns-madam-8"].gradient);
  });

  it.each([
    ["stat8", /unknown precision policy "stat8" \(did you mean "state8"\? known: fp32, bf16, state8/],
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
      /error.scale is 3, wants "none", "tensor", "channel", "block" or a power of two/,
    ],
    [{ moment: { third: null } }, /unknown key "third" in moment/],
    [{ moment: "bf16" }, /moment is "bf16", wants \{ first, second \}/],
    [{ name: 3 }, /name is 3/],
    [{ passes: "forward" }, /unknown passes "forward" \(did you mean "forward-only"/],
    [
      { passes: "forward-only", error: "bf16" },
      /error is "bf16", but passes is "forward-only".*leave error out/,
    ],
    [
      { activation: { format: "mxfp8-e4m3", scale: "tensor" } },
      /activation.scale is "tensor": mxfp8-e4m3 has a/,
    ],
    [{ activation: { format: "mxfp8-e4m3", block: 8 } }, /unknown activation.block 8 .*known: 16, 32, 64/],
    [{ activation: { format: "nvfp4", block: 32 } }, /activation: .*block size 32 of nvfp4, wants 16/],
    [{ activation: { format: "mxint8", scaleRule: "up" } }, /unknown activation.scaleRule "up"/],
    [{ activation: { format: "lns8-g8", block: 32 } }, /activation.block: only a scale "block" has a size/],
    [{ activation: { format: "lns8-g8", scaleRule: "ceil" } }, /activation.scaleRule: only a scale "block"/],
    [
      { weight: { format: "lns8-g8", scale: 1, from: "rms" } },
      /weight.from: only a scale "tensor" or "channel"/,
    ],
    [{ weight: { format: "lns8-g8", from: "mean" } }, /unknown weight.from "mean"/],
    [{ weight: { format: "lns8-g8", scale: "none", powerOfTwo: true } }, /weight.powerOfTwo: only/],
    [
      { update: { format: "lns8-g8", powerOfTwo: true } },
      /update.powerOfTwo: the scale of update is the opt/,
    ],
    [
      { update: { format: "lns8-g8", scale: "none" } },
      /update.scale is "none": the top rung of lns8-g8 needs/,
    ],
    [
      { moment: { first: { format: "bf16", scale: "tensor" } } },
      /moment.first.scale is "tensor": bf16 has a range/,
    ],
    [{ moment: { first: "mxfp8-e4m3" } }, /moment.first.format is "mxfp8-e4m3": blocks are for operands/],
    [{ gradient: { format: "lns8-g8", scale: "block" } }, /gradient.scale is "block": wants "tensor"/],
    [{ activation: "ulns8-g4" }, /activation.format is "ulns8-g4": it has no negative values/],
    [
      { activation: "lns8-eta0.01" },
      /activation.format is "lns8-eta0.01": it has no zero; it fits weight, up/,
    ],
    [{ activation: { format: "fp32" } }, /activation.format is "fp32": float32 is null/],
    [{ activation: { format: "fp16", scale: "channel" } }, /fp16 has a range of its own; leave scale out/],
    [{ layers: ["head"] }, /layers is \["head"\], wants an object of patterns/],
    [{ layers: { head: 8 } }, /layers\["head"\] is 8, wants null, a format or an object of roles/],
    [{ layers: { head: "mxfp8" } }, /layers\["head"\] is "mxfp8", a preset: write \{ "preset": "mxfp8" \}/],
    [
      { layers: { head: { wieght: null } } },
      /unknown key "wieght" in layers\["head"\] \(did you mean "weight"/,
    ],
    [{ layers: { head: { error: { format: "bf16", scale: 3 } } } }, /layers\["head"\].error.scale is 3/],
    [
      { passes: "forward-only", layers: { head: { error: "bf16" } } },
      /layers\["head"\].error is "bf16", but/,
    ],
    [undefined, /unknown precision policy undefined/],
    ["toString", /unknown precision policy "toString"/],
  ])("refuses %j", (policy, message) => {
    expect(() => parsePolicy(policy)).toThrow(PolicyError);
    expect(() => parsePolicy(policy)).toThrow(message);
  });

  it("passes on what is wrong with a format", () => {
    expect(() => parsePolicy({ update: "lns8-g3" })).toThrow(UnknownFormatError);
  });

  it("takes scales per channel for what passes read, not for what the optimiser holds", () => {
    const scaled = { format: "lns8-g8", scale: "channel" };
    expect(parsePolicy({ activation: scaled, weight: scaled }).weight?.scale).toBe("channel");
    for (const role of ["gradient", "update", "embedding"])
      expect(() => parsePolicy({ [role]: scaled })).toThrow(`${role}.scale is "channel"`);
    expect(() => parsePolicy({ moment: { first: scaled } })).toThrow('moment.first.scale is "channel"');
  });

  it("fills in what suits the format", () => {
    const of = (format: string) => parsePolicy({ activation: format }).activation;
    expect(of("lns8-g8")).toEqual({ format: "lns8-g8", rounding: "nearest-even", scale: "tensor" });
    expect(of("fp8-e4m3")?.scale).toBe("tensor");
    expect(of("int8")?.scale).toBe("tensor");
    expect(of("fp16")?.scale).toBe("none");
    expect(of("mxfp4-e2m1")).toEqual({
      format: "mxfp4-e2m1",
      rounding: "nearest-even",
      scale: "block",
      block: 32,
    });
    expect(of("nvfp4")?.block).toBe(16);
    expect(of("fp32")).toBeNull();
    const small = { format: "int8", scale: "block", block: 16, scaleRule: "ceil" };
    expect(parsePolicy({ error: small }).error).toEqual({ ...small, rounding: "nearest-even" });
  });

  it("keeps inputs of other operations as activations are kept, unless told otherwise", () => {
    expect(parsePolicy({ activation: "lns8-g8" }).saved?.format).toBe("lns8-g8");
    expect(parsePolicy({ activation: "lns8-g8", saved: null }).saved).toBeNull();
    expect(parsePolicy({ activation: "lns8-g8", passes: "forward-only" }).saved).toBeNull();
    expect(parsePolicy({ preset: "mxfp8", weight: null }).saved?.format).toBe("mxfp8-e4m3");
  });

  it("drops a preset's errors with its quantised backward pass", () => {
    const policy = parsePolicy({ preset: "mxfp8", passes: "forward-only" });
    expect(policy).toMatchObject({ error: null, saved: null, passes: "forward-only" });
    expect(policy.activation).toEqual(presets.mxfp8.activation);
  });

  it("reads overrides of layers: null, a format, roles, a preset", () => {
    const policy = parsePolicy({
      preset: "mxfp8",
      layers: { a: null, b: "lns8-g8", c: { weight: "bf16" }, d: { preset: "state8", activation: "bf16" } },
    });
    const lns = { format: "lns8-g8", rounding: "nearest-even", scale: "tensor" };
    const { a, b, c, d } = policy.layers;
    expect(a).toEqual({ weight: null, activation: null, error: null, saved: null });
    expect(b).toEqual({ weight: lns, activation: lns, error: lns, saved: lns });
    expect(Object.keys(c)).toEqual(["weight"]);
    expect(d.update).toEqual(presets.state8.update);
    expect(d.activation?.format).toBe("bf16");
    expect(parsePolicy({ ...policy })).toEqual(policy);
    const forward = parsePolicy({ preset: "lmd-mxfp4", layers: { a: "bf16" } });
    expect(Object.keys(forward.layers.a)).toEqual(["weight", "activation", "saved"]);
  });

  it("takes every example of its page", () => {
    const page = readFileSync(new URL("../../docs/precision.md", import.meta.url), "utf8");
    const examples = [...page.matchAll(/```json\n([^`]*)```/g)].map(([, text]) => text);
    expect(examples.length).toBeGreaterThan(2);
    for (const text of examples) expect(parsePolicy(JSON.parse(text)).name).toBe("custom");
    for (const name of Object.keys(presets)) expect(page).toContain(`| \`${name}\``);
  });
});
