import { describe, expect, it } from "vitest";
import { Heap, PADDING_BYTES, blockSize } from "./memory.ts";

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

  it("rounds sizes up by an eighth at most", () => {
    for (const bytes of [600, 5000, 123_456, 1_500_000_000]) {
      expect(blockSize(bytes)).toBeGreaterThanOrEqual(bytes + PADDING_BYTES);
      expect(blockSize(bytes)).toBeLessThanOrEqual((bytes + PADDING_BYTES) * 1.125);
      expect(blockSize(bytes) % 64).toBe(0);
    }
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
