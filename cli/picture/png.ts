/** PNG files of small images. Node only. */
import { crc32, deflateSync } from "node:zlib";

/** Pixels of an image, plane after plane: [channels, height, width], grey or red, green, blue. */
export interface PlanarImage {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(8 + body.length);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), 4 + body.length);
  return frame;
}

/**
 * The bytes of a PNG, 8 bits a sample, no filter.
 *
 * @throws RangeError for other than 1 or 3 channels.
 * @source ISO/IEC 15948:2003, Portable network graphics.
 */
export function encodePng({ channels, height, width, pixels }: PlanarImage): Uint8Array {
  if (channels !== 1 && channels !== 3)
    throw new RangeError(`logrung: a PNG of ${channels} channels, wants 1 or 3`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 1 ? 0 : 2], 8);
  const row = 1 + width * channels; // each row begins with its filter: 0, none
  const rows = new Uint8Array(height * row);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        rows[y * row + 1 + x * channels + c] = pixels[(c * height + y) * width + x];
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", new Uint8Array())];
  return Buffer.concat([signature, ...chunks]);
}
