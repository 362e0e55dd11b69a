import { describe, expect, it } from "vitest";
import { Heap, PADDING_BYTES, blockSize, type WasmBuffer } from "./memory.ts";

/** Numbers from [0, 1) for tests: a linear congruence. */
function congruence(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const heap = (maximumBytes: number) => new Heap(maximumBytes, 1000, false);

describe("Heap", () => {
  it("gives aligned blocks that do not overlap, with room to read past the end", () => {
    const memory = heap(2 ** 26);
    const buffers = [0, 1, 63, 64, 65, 1000, 4097, 100_000].map((bytes) => memory.allocate(bytes));
    let end = 1000;
    for (const { address, bytes } of buffers) {
      expect(address % 64).toBe(0);
      expect(address).toBeGreaterThanOrEqual(end);
      end = address + bytes + PADDING_BYTES;
      expect(end).toBeLessThanOrEqual(memory.memory.buffer.byteLength);
    }
  });

  it("rounds sizes up to whole cache lines", () => {
    for (const bytes of [0, 600, 5000, 123_456, 1_500_000_000]) {
      expect(blockSize(bytes)).toBeGreaterThanOrEqual(bytes + PADDING_BYTES);
      expect(blockSize(bytes)).toBeLessThan(bytes + PADDING_BYTES + 64);
      expect(blockSize(bytes) % 64).toBe(0);
    }
  });

  it("makes one gap of neighbours, in whatever order they are given back", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [0, 2, 1],
      [1, 0, 2],
    ]) {
      const memory = heap(2 ** 26);
      const three = [100_000, 200_000, 300_000].map((bytes) => memory.allocate(bytes));
      const guard = memory.allocate(64);
      for (const i of order) memory.release(three[i]);
      expect(memory.allocate(600_000).address).toBe(three[0].address);
      expect(guard.freed).toBe(false);
    }
  });

  it("takes the smallest gap that is large enough", () => {
    const memory = heap(2 ** 26);
    const sizes = [500_000, 100_000, 300_000, 100_000, 400_000, 100_000];
    const buffers = sizes.map((bytes) => memory.allocate(bytes));
    for (const i of [0, 2, 4]) memory.release(buffers[i]);
    expect(memory.allocate(290_000).address).toBe(buffers[2].address);
    expect(memory.allocate(350_000).address).toBe(buffers[4].address);
  });

  it("never gives out what is held, over thousands of random turns", () => {
    const memory = heap(2 ** 26);
    const words = congruence(7);
    let held: WasmBuffer[] = [];
    for (let turn = 0; turn < 3000; turn++) {
      const given = held.length > 40 || words() < 0.4 ? held[Math.floor(words() * held.length)] : undefined;
      if (given) {
        memory.release(given);
        held = held.filter((buffer) => buffer !== given);
      } else held.push(memory.allocate(Math.floor(2 ** (20 * words()))));
      const byAddress = held.toSorted((x, y) => x.address - y.address);
      const apart = byAddress.every(
        ({ address }, i) => i === 0 || address >= byAddress[i - 1].address + byAddress[i - 1].block,
      );
      expect(apart).toBe(true);
    }
    for (const buffer of held) memory.release(buffer);
    expect([memory.bytes, memory.allocate(2 ** 24).address]).toEqual([0, heap(2 ** 26).allocate(0).address]);
  });

  it("does not grow over steps that take and give back the same", () => {
    const memory = heap(2 ** 28);
    const step = (shift: number) => {
      const sizes = [300, 70_000, 1_000_000, 70_000, 12].map((bytes) => bytes + ((shift * 7) % 5));
      for (const buffer of sizes.map((bytes) => memory.allocate(bytes))) memory.release(buffer);
    };
    step(0);
    const grown = memory.memory.buffer.byteLength;
    for (let i = 0; i < 100; i++) step(i);
    expect(memory.memory.buffer.byteLength).toBe(grown);
  });

  it("counts what is held, now and at most", () => {
    const memory = heap(2 ** 26);
    const a = memory.allocate(1000);
    const b = memory.allocate(500);
    memory.release(a);
    expect([memory.bytes, memory.peakBytes]).toEqual([500, 1500]);
    memory.release(b);
    expect([memory.bytes, memory.peakBytes]).toEqual([0, 1500]);
  });

  it("grows when needed and says when it cannot", () => {
    const memory = heap(2 ** 24);
    memory.allocate(10_000_000);
    expect(() => memory.allocate(10_000_000)).toThrow(RangeError);
    expect(() => memory.allocate(10_000_000)).toThrow(
      /no memory for 10000000 bytes: 10000000 of at most 16777216/,
    );
    expect(() => memory.allocate(-1)).toThrow(/wants a count/);
  });

  it("hands out a larger free block rather than fail", () => {
    const memory = heap(2 ** 24);
    const large = memory.allocate(15_000_000);
    memory.release(large);
    expect(memory.allocate(9_000_000).address).toBe(large.address);
  });

  it("refuses to free twice, to use after free, and other backends' buffers", () => {
    const memory = heap(2 ** 24);
    const buffer = memory.allocate(100);
    memory.release(buffer);
    expect(() => memory.release(buffer)).toThrow(/was freed/);
    expect(() => memory.address({ buffer, offset: 0 })).toThrow(/was freed/);
    expect(() => memory.release({ bytes: 100 })).toThrow(/another backend/);
    expect(() => heap(2 ** 24).address({ buffer: memory.allocate(1), offset: 0 })).toThrow(/another backend/);
  });
});
