import { inflateSync } from "node:zlib";
import { expect, it } from "vitest";
import { encodePng } from "./png.ts";

it("writes planes as rows of pixels, each after its filter", () => {
  const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60, 100, 110, 120, 130, 140, 150);
  const png = Buffer.from(encodePng({ channels: 3, height: 2, width: 3, pixels }));
  expect(png.subarray(0, 8).toString("latin1")).toBe("\u0089PNG\r\n\u001a\n");
  expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([3, 2, 8, 2]);
  const length = png.readUInt32BE(33);
  expect(png.subarray(37, 41).toString("latin1")).toBe("IDAT");
  expect([...inflateSync(png.subarray(41, 41 + length))]).toEqual([
    0, 1, 10, 100, 2, 20, 110, 3, 30, 120, 0, 4, 40, 130, 5, 50, 140, 6, 60, 150,
  ]);
  // The end's checksum is the one that every PNG ends with.
  expect(png.subarray(-4).toString("hex")).toBe("ae426082");
});

it("refuses what is neither grey nor colour", () => {
  expect(() => encodePng({ channels: 2, height: 1, width: 1, pixels: new Uint8Array(2) })).toThrow(
    /2 channels/,
  );
});
