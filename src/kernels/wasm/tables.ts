/** Table look-ups: four scalar loads, as WebAssembly has no gather. */
import { storageBytes, type StorageType } from "../program.ts";
import type { Code, Local } from "./assembler.ts";

/**
 * Turns four entry numbers on the stack into the raw bits of the entries.
 *
 * @param base the table's address in all four lanes.
 * @param mask lanes that exist; the others read entry 0. Null when all do.
 */
export function pushTableEntries(code: Code, storage: StorageType, base: Local, mask: Local | null): void {
  const bytes = storageBytes[storage];
  const addresses = code.local("v128");
  if (mask) code.get(mask).op("v128.and");
  if (bytes > 1) code.i32(Math.log2(bytes)).op("i32x4.shl");
  code.get(base).op("i32x4.add").set(addresses);
  if (bytes === 4) loadWords(code, addresses);
  else
    loadNarrow(
      code,
      addresses,
      bytes === 2 ? "i32.load16_u" : storage === "i8" ? "i32.load8_s" : "i32.load8_u",
    );
}

function loadWords(code: Code, addresses: Local): void {
  for (const lane of [3, 2, 1, 0]) code.get(addresses).lane("i32x4.extract_lane", lane);
  code.memory("v128.load32_zero");
  for (const lane of [1, 2, 3]) code.memoryLane("v128.load32_lane", lane);
}

function loadNarrow(
  code: Code,
  addresses: Local,
  load: "i32.load16_u" | "i32.load8_s" | "i32.load8_u",
): void {
  const entry = (lane: number) => code.get(addresses).lane("i32x4.extract_lane", lane).memory(load);
  entry(0).op("i32x4.splat");
  for (const lane of [1, 2, 3]) entry(lane).lane("i32x4.replace_lane", lane);
}
