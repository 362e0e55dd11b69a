/** Small archives for tests, written by hand. */
import { crc32, deflateRawSync } from "node:zlib";

/** A member of a tar archive: its header and its padded content. */
export function tarEntry(path: string, content: Uint8Array, type = "0"): Uint8Array {
  const header = new Uint8Array(512);
  const put = (at: number, text: string): void => header.set(new TextEncoder().encode(text), at);
  put(0, path);
  put(100, "0000644\0");
  put(124, `${content.length.toString(8).padStart(11, "0")}\0`);
  put(148, "        ");
  put(156, type);
  put(257, "ustar\u000000");
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  const padded = new Uint8Array(Math.ceil(content.length / 512) * 512);
  padded.set(content);
  return Buffer.concat([header, padded]);
}

/** Members and the two empty blocks at the end. */
export const archive = (entries: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([...entries, new Uint8Array(1024)]);

/** A zip archive. */
export function zipOf(
  members: readonly { readonly path: string; readonly content: Uint8Array; readonly method: number }[],
  comment = "",
): Uint8Array {
  const parts: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let offset = 0;
  for (const { path, content, method } of members) {
    const name = Buffer.from(path);
    const packed = method === 8 ? deflateRawSync(content) : content;
    const facts = Buffer.alloc(16);
    facts.writeUInt32LE(crc32(content), 0);
    facts.writeUInt32LE(packed.length, 4);
    facts.writeUInt32LE(content.length, 8);
    facts.writeUInt16LE(name.length, 12);
    const start = Buffer.alloc(10);
    start.writeUInt16LE(20, 0);
    start.writeUInt16LE(method, 4);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), start, facts, name, packed]);
    entries.push(Buffer.concat([Buffer.from("PK\u0001\u0002\u0014\0"), start, facts, tail, name]));
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  end.writeUInt16LE(comment.length, 16);
  return Buffer.concat([...parts, directory, Buffer.from("PK\u0005\u0006"), end, Buffer.from(comment)]);
}
