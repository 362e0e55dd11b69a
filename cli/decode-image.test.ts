import { crc32, deflateSync } from "node:zlib";
import { encode as encodePng } from "fast-png";
import { encode as encodeJpeg } from "jpeg-js";
import { describe, expect, it } from "vitest";
import { decodeImage } from "./decode-image.ts";

const [width, height] = [7, 5];
const rgb = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 256);
const png = encodePng({ width, height, data: rgb, channels: 3 });

interface PngFacts {
  readonly width: number;
  readonly depth: number;
  /** 0 grey, 3 palette. */
  readonly colour: number;
  readonly rowBytes: number;
  readonly data: readonly number[];
  readonly palette?: readonly number[];
}

/** A PNG file written by hand: rows without filters. */
function pngOf({ width: columns, depth, colour, rowBytes, data, palette }: PngFacts): Uint8Array {
  const rows = data.length / rowBytes;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(columns, 0);
  header.writeUInt32BE(rows, 4);
  header.set([depth, colour], 8);
  const filtered = Array.from({ length: rows }, (_, y) => [
    0,
    ...data.slice(y * rowBytes, (y + 1) * rowBytes),
  ]);
  return Buffer.concat([
    Buffer.from("\u0089PNG\r\n\u001a\n", "latin1"),
    chunk("IHDR", header),
    ...(palette ? [chunk("PLTE", Uint8Array.from(palette))] : []),
    chunk("IDAT", deflateSync(Uint8Array.from(filtered.flat()))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), content]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

describe("decodeImage", () => {
  it("reads PNG of any channels and depth as red, green and blue", () => {
    expect(decodeImage(png)).toEqual({ width, height, data: rgb });
    const grey = encodePng({ width: 2, height: 1, data: Uint8Array.of(7, 200), channels: 1 });
    expect([...decodeImage(grey).data]).toEqual([7, 7, 7, 200, 200, 200]);
    const deep = encodePng({ width: 1, height: 1, data: Uint16Array.of(65_535, 257, 0), channels: 3, depth: 16 });
    expect([...decodeImage(deep).data]).toEqual([255, 1, 0]);
    const alpha = encodePng({ width: 1, height: 1, data: Uint8Array.of(9, 8, 7, 0), channels: 4 });
    expect([...decodeImage(alpha).data]).toEqual([9, 8, 7]);
  }); // prettier-ignore

  it("reads packed bits, each row beginning a new byte, grey and by a palette", () => {
    const rows = [0b01_00_11_10, 0b10_00_00_00, 0b00_01_10_11, 0b11_00_00_00]; // 5 pixels of 2 bits a row
    const [black, dark, light, white] = [0, 85, 170, 255];
    const grey = pngOf({ width: 5, depth: 2, colour: 0, rowBytes: 2, data: rows });
    const values = [dark, black, white, light, light, black, dark, light, white, white];
    expect([...decodeImage(grey).data]).toEqual(values.flatMap((value) => [value, value, value]));
    const palette = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const indexed = pngOf({ width: 5, depth: 2, colour: 3, rowBytes: 2, data: rows, palette });
    const indices = [1, 0, 3, 2, 2, 0, 1, 2, 3, 3];
    expect([...decodeImage(indexed).data]).toEqual(indices.flatMap((i) => palette.slice(3 * i, 3 * i + 3)));
  });

  it("reads JPEG, close to what was written", () => {
    const flat = Buffer.alloc(4 * 16 * 16, 100);
    const jpeg = encodeJpeg({ width: 16, height: 16, data: flat }, 90).data;
    const { data, ...size } = decodeImage(jpeg);
    expect([size, data.length]).toEqual([{ width: 16, height: 16 }, 3 * 16 * 16]);
    for (const value of data) expect(Math.abs(value - 100)).toBeLessThan(4);
    expect(() => decodeImage(jpeg.subarray(0, 300))).toThrow();
  });

  it("refuses what is damaged or something else", () => {
    expect(() => decodeImage(Buffer.from("GIF89a"))).toThrow("neither PNG nor JPEG");
    expect(() => decodeImage(new Uint8Array(0))).toThrow("neither PNG nor JPEG");
    for (let length = 8; length < png.length; length += 9)
      expect(() => decodeImage(png.subarray(0, length))).toThrow();
    const damaged = png.slice();
    damaged[50] ^= 4;
    expect(() => decodeImage(damaged)).toThrow(/CRC/);
    const interlaced = png.slice();
    interlaced[24] = 4;
    interlaced[28] = 1;
    expect(() => decodeImage(interlaced)).toThrow(/interlaced PNG of 4 bits/);
  });
});
