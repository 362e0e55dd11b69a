/** Table look-ups: four scalar loads, as WebAssembly has no gather. */
import { storageBytes, type StorageType } from "../program.ts";
import type { Code, Local } from "./assembler.ts";
import type { MemoryOp } from "./opcodes.ts";

/** Where a table lies: its address, and the same in all four lanes. */
export interface TableBase {
  readonly address: Local;
  readonly lanes: Local;
}

/**
 * Turns four entry numbers on the stack into the raw bits of the entries.
 *
 * @param mask lanes that exist; the others read entry 0. Null when all do.
 */
export function pushEntries(code: Code, storage: StorageType, base: TableBase, mask: Local | null): void {
  const bytes = storageBytes[storage];
  const addresses = code.local("v128");
  if (mask) code.get(mask).op("v128.and");
  if (bytes > 1) code.i32(Math.log2(bytes)).op("i32x4.shl");
  code.get(base.lanes).op("i32x4.add").set(addresses);
  pushLoads(storage, (lane) => code.get(addresses).lane("i32x4.extract_lane", lane));
}

/** The same for entry numbers that can be pushed one by one: they need not pass through a vector. */
export function pushEntriesOf(
  code: Code,
  storage: StorageType,
  base: TableBase,
  pushNumber: (lane: number) => void,
): void {
  const bytes = storageBytes[storage];
  pushLoads(storage, (lane) => {
    pushNumber(lane);
    if (bytes > 1) code.i32(Math.log2(bytes)).op("i32.shl");
    return code.get(base.address).op("i32.add");
  });
}

const LOAD: Readonly<Record<Exclude<StorageType, "f32">, MemoryOp>> = {
  u8: "i32.load8_u", i8: "i32.load8_s", u16: "i32.load16_u", bf16: "i32.load16_u", f16: "i32.load16_u",
  i32: "i32.load", u32: "i32.load",
}; // prettier-ignore

/** Ends in a replaced lane, which V8 can make half of a 256-bit vector; a `v128.load32_lane` it cannot. */
function pushLoads(storage: StorageType, pushAddress: (lane: number) => Code): void {
  if (storage === "f32") {
    pushAddress(0).memory("v128.load32_zero");
    for (const lane of [1, 2, 3]) pushAddress(lane).memory("f32.load").lane("f32x4.replace_lane", lane);
    return;
  }
  pushAddress(0).memory(LOAD[storage]).op("i32x4.splat");
  for (const lane of [1, 2, 3]) pushAddress(lane).memory(LOAD[storage]).lane("i32x4.replace_lane", lane);
}
