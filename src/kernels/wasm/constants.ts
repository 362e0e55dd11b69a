/** Read-only data of a kernel: splatted constants and tables, one block of bytes. */
import type { Table } from "../program.ts";

const float = new Float32Array(1);
const word = new Int32Array(float.buffer);

/** The 32 bits of a float. */
export function bitsOf(value: number): number {
  float[0] = value;
  return word[0];
}

type Words = readonly [number, number, number, number];

/**
 * Collects constants while a module is written; each is stored once. V8 rebuilds a `v128.const` at every use, so hot
 * code loads its constants from here instead, before its loops.
 */
export class ConstantPool {
  private readonly words = new Map<number, number>();
  private readonly vectors = new Map<string, number>();
  private readonly tables = new Map<Table, number>();
  private readonly chunks: Uint8Array[] = [];
  private size = 0;

  /** Offset of a vector of four words. */
  vector(words: Words): number {
    const key = words.join();
    const known = this.vectors.get(key);
    if (known !== undefined) return known;
    const offset = this.append(new Uint8Array(new Int32Array(words).buffer));
    this.vectors.set(key, offset);
    return offset;
  }

  /** Offset of a word. */
  word(bits: number): number {
    const known = this.words.get(bits);
    if (known !== undefined) return known;
    const offset = this.append(new Uint8Array(new Int32Array([bits]).buffer));
    this.words.set(bits, offset);
    return offset;
  }

  /** Offset of a table. */
  table(table: Table): number {
    const known = this.tables.get(table);
    if (known !== undefined) return known;
    const { buffer, byteOffset, byteLength } = table.data;
    const offset = this.append(new Uint8Array(buffer, byteOffset, byteLength).slice());
    this.tables.set(table, offset);
    return offset;
  }

  /** All of it; offsets count from its start. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.size);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += align(chunk.length);
    }
    return all;
  }

  private append(bytes: Uint8Array): number {
    const offset = this.size;
    this.chunks.push(bytes);
    this.size += align(bytes.length);
    return offset;
  }
}

const align = (bytes: number): number => (bytes + 15) & ~15;
