import { expect, it } from "vitest";
import type { Machine } from "./machine.ts";
import { recordName } from "./results.ts";

it.each([
  ["AMD EPYC 9R14", [], "2026-11-22-amd-epyc-9r14.json"],
  ["Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", ["peers"], "2026-11-22-intel-xeon-cpu-e5-2680-v4-peers.json"],
])("a record of %s is named by date and processor", (cpu, kinds, name) => {
  const machine = { started: "2026-11-22T10:00:00.000Z", cpu } as Machine;
  expect(recordName(machine, kinds)).toBe(name);
});
