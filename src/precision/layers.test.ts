import { describe, expect, it } from "vitest";
import { checkLayers, layerMatches, policyAt } from "./layers.ts";
import { parsePolicy, PolicyError } from "./parse-policy.ts";

const layers = ["h.0.attn.c_attn", "h.0.attn", "h.1.attn", "head"];
const parameters = ["wte.weight", "h.0.attn.c_attn.weight"];

describe("patterns of layers", () => {
  it.each([
    ["head", "head", true],
    ["head", "heads", false],
    ["h.*", "h.0.attn.c_attn", true],
    ["h.*", "head", false],
    ["*.attn", "h.11.attn", true],
    ["*.attn", "h.0.attn.c_attn", false],
    ["h.?.attn", "h.11.attn", false],
    ["h.0.attn", "hx0.attn", false],
    ["*", "h.0.attn", true],
    ["h.(0|1).attn", "h.0.attn", false],
  ])("%j on %j: %j", (pattern, layer, fits) => {
    expect(layerMatches(pattern, layer)).toBe(fits);
  });

  it("change their layers alone, the later over the earlier, role by role", () => {
    const policy = parsePolicy({
      preset: "lns-madam-8",
      layers: { "h.*": { error: "bf16", weight: null }, "h.0.*": { error: "lns16-g1024" }, head: null },
    });
    const at = (layer: string) => policyAt(policy, layer);
    expect(at("h.0.attn").error?.format).toBe("lns16-g1024");
    expect(at("h.0.attn").weight).toBeNull();
    expect(at("h.1.attn").error?.format).toBe("bf16");
    expect(at("head")).toMatchObject({ weight: null, activation: null, error: null, saved: null });
    expect(at("head").update).toEqual(policy.update);
    const { name: _name, layers: _layers, ...whole } = policy;
    expect(at("ln_f")).toMatchObject(whole);
    expect(at("head")).toBe(at("head"));
  });

  it("that fit nothing are refused with the layers there are", () => {
    const check = (patterns: object) => checkLayers(parsePolicy({ layers: patterns }), layers, parameters);
    expect(() => check({ "h.*": null, wte: { update: "lns8-g8" }, "*": "bf16" })).not.toThrow();
    expect(() => check({ haed: null })).toThrow(PolicyError);
    expect(() => check({ haed: null })).toThrow(
      'pattern "haed" (weight, activation, error, saved) fits no layer; layers with such a role: h.0.attn.c_attn, ',
    );
    // The head has no weights of its own, the embeddings no products.
    expect(() => check({ head: { update: "lns8-g8" } })).toThrow(
      /"head" \(update\) .*: wte, h.0.attn.c_attn$/,
    );
    expect(() => check({ wte: { activation: "lns8-g8" } })).toThrow(
      /"wte" \(activation, saved\) fits no layer/,
    );
  });
});
