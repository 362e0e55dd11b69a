/**
 * Zip archives: chosen members, stored or deflated, each checked by its CRC. Node only.
 *
 * @source PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
 */
import { crc32, inflateRawSync } from "node:zlib";
import type { ArchiveMember } from "./tar.ts";

/** The bytes are not a zip archive that can be read. */
export class ZipError extends Error {
  override readonly name = "ZipError";
  readonly file: string;
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid zip archive: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const [localBytes, centralBytes, endBytes] = [30, 46, 22];
const [stored, deflated] = [0, 8];

interface Entry {
  readonly path: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
  readonly encrypted: boolean;
}

/**
 * The members that `wanted` chooses.
 *
 * @param file  the archive's name, for messages.
 * @throws ZipError when it is cut off or damaged, and for what is not read: zip64, encryption, other methods.
 */
export function readZip(
  bytes: Uint8Array,
  file: string,
  wanted: (path: string) => boolean,
): readonly ArchiveMember[] {
  return directory(bytes, file)
    .filter(({ path }) => wanted(path))
    .map((entry) => ({ path: entry.path, bytes: contentOf(bytes, file, entry) }));
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Where the end record stands: the last place of its signature whose comment reaches the end of the file. */
function endRecord(view: DataView, file: string): number {
  for (let at = view.byteLength - endBytes; at >= Math.max(0, view.byteLength - endBytes - 0xffff); at--) {
    if (view.getUint32(at, true) !== endSignature) continue;
    if (at + endBytes + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  throw new ZipError(file, view.byteLength, "it ends without a central directory: is it cut off?");
}

function directory(bytes: Uint8Array, file: string): Entry[] {
  const view = viewOf(bytes);
  const end = endRecord(view, file);
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  if (count === 0xffff || start === 0xffffffff)
    throw new ZipError(file, end, "zip64 is not read; unpack it yourself");
  const entries: Entry[] = [];
  for (let at = start, left = count; left > 0; left--) {
    if (at + centralBytes > end || view.getUint32(at, true) !== centralSignature) {
      throw new ZipError(file, at, `no entry of the central directory, which should hold ${count}`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + centralBytes + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw new ZipError(file, at, "an entry runs over the central directory's end");
    entries.push({
      path: new TextDecoder().decode(bytes.subarray(at + centralBytes, at + centralBytes + nameLength)),
      encrypted: (view.getUint16(at + 8, true) & 1) === 1,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

function contentOf(bytes: Uint8Array, file: string, entry: Entry): Uint8Array {
  const { path, offset, method, packed, size, crc, encrypted } = entry;
  const view = viewOf(bytes);
  if (offset + localBytes > bytes.length || view.getUint32(offset, true) !== localSignature)
    throw new ZipError(file, offset, `no header of "${path}" here`);
  const start = offset + localBytes + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > bytes.length) throw new ZipError(file, bytes.length, `it ends within "${path}"`);
  if (encrypted) throw new ZipError(file, offset, `"${path}" is encrypted`);
  if (method !== stored && method !== deflated)
    throw new ZipError(file, offset + 8, `"${path}" is packed by method ${method}, wants 0 or 8`);
  const content =
    method === stored ? bytes.subarray(start, start + packed) : inflated(bytes, file, entry, start);
  if (content.length !== size || crc32(content) !== crc)
    throw new ZipError(file, start, `"${path}" is damaged: its checksum does not fit`);
  return content;
}

function inflated(bytes: Uint8Array, file: string, { path, packed, size }: Entry, start: number): Uint8Array {
  try {
    return inflateRawSync(bytes.subarray(start, start + packed), { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    throw new ZipError(file, start, `"${path}" is damaged: ${(cause as Error).message}`);
  }
}
