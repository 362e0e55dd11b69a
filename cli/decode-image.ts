/** PNG and JPEG files as red, green and blue; the decoder that image folders are read with. Loaded by worker threads too. */
import { convertIndexedToRgb, decode as decodePng, type DecodedPng } from "fast-png";
import { decode as decodeJpeg } from "jpeg-js";
import type { DecodedImage } from "../src/data/image-folder.ts";

/** Most pixels of a JPEG, in millions, and most memory for it: a damaged size must not take all. */
const jpegLimits = { maxResolutionInMP: 200, maxMemoryUsageInMB: 2048 };

/**
 * Decodes a PNG or JPEG file, told apart by its first bytes. Grey becomes three equal channels, 16 bits become 8, transparency is
 * dropped; the orientation that a camera notes in a JPEG is not applied.
 *
 * @throws Error for bytes that are neither, or damaged.
 */
export function decodeImage(bytes: Uint8Array): DecodedImage {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) {
    checkInterlace(bytes);
    return fromPng(decodePng(bytes, { checkCrc: true }));
  }
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error("neither PNG nor JPEG by its first bytes");
  const options = { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, ...jpegLimits } as const;
  const { width, height, data } = decodeJpeg(bytes, options);
  return { width, height, data };
}

/** Bit depth and interlacing stand at these bytes of every PNG, in its first chunk. */
const [depthByte, interlaceByte] = [24, 28];

/** The library reads interlaced rows of packed bits as if they were bytes. */
function checkInterlace(bytes: Uint8Array): void {
  if (bytes[interlaceByte] !== 1 || bytes[depthByte] >= 8) return;
  throw new Error(`an interlaced PNG of ${bytes[depthByte]} bits is not read; convert it to 8 bits`);
}

function fromPng(png: DecodedPng): DecodedImage {
  const { width, height } = png;
  const { data, channels, full } = samples(png);
  const rgb = new Uint8Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) {
      const value = data[pixel * channels + (channels < 3 ? 0 : c)];
      rgb[3 * pixel + c] = Math.round((255 * value) / full);
    }
  }
  return { width, height, data: rgb };
}

/** Whole samples of a PNG: palettes looked up, packed bits parted. `full` is the value of white. */
function samples(png: DecodedPng): { data: ArrayLike<number>; channels: number; full: number } {
  const { data, channels, depth, palette, width } = png;
  if (palette) return { data: convertIndexedToRgb(png), channels: palette[0].length, full: 255 };
  const full = 2 ** depth - 1;
  if (depth >= 8) return { data, channels, full };
  // Grey of less than 8 bits: several pixels a byte, each row beginning a new one.
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(width / perByte);
  const grey = Uint8Array.from({ length: width * png.height }, (_, pixel) => {
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    const byte = data[y * rowBytes + Math.floor(x / perByte)];
    return (byte >> (8 - depth * ((x % perByte) + 1))) & full;
  });
  return { data: grey, channels: 1, full };
}
