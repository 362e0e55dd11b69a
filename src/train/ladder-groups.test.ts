import { expect, it } from "vitest";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { ladderGroups } from "./ladder-groups.ts";

const coded = (...codes: number[]): SafetensorsTensor => ({
  dtype: "U8",
  shape: [codes.length],
  bytes: Uint8Array.from(codes),
});

it("adds up weights and each moment, by format", () => {
  const wide = { dtype: "U16", shape: [1], bytes: new Uint8Array(Uint16Array.of(32767).buffer) } as const;
  const tensors = {
    "a.m": coded(1, 2),
    a: coded(127, 3),
    b: coded(127),
    "a.v": coded(255),
    odd: wide,
    "lone.v": coded(5),
    bias: coded(0, 0, 0, 0),
  };
  const weights = { a: "lns8-g16", b: "lns8-g16", odd: "lns16-g1024", "lone.v": "lns8-g16" };
  const groups = ladderGroups(tensors, { ...weights, "a.m": "lns8-g8", "a.v": "ulns8-g4" });
  expect(groups.map(({ group, format, top }) => [group, format, top])).toEqual([
    ["weights", "lns8-g16", 2],
    ["weights", "lns16-g1024", 1],
    ["first moment", "lns8-g8", 0],
    ["second moment", "ulns8-g4", 1],
  ]);
});

it("is empty where nothing lies on a ladder", () => {
  expect(ladderGroups({ a: coded(1, 2), b: coded(1) }, { b: "bf16" })).toEqual([]);
});
