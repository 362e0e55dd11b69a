/** The argument block of an attention kernel, and what a function that walks through tiles is written with. */
import type { AttentionMatrix } from "../attention.ts";
import { NamedLocals, type Code, type Local } from "./assembler.ts";

/** Words by name; a matrix has four: its address, and its strides in bytes by outer, inner and row. */
const NAMES = [
  "constants", "workspace", "inner", "items", "queries", "keys", "width",
  // Query r sees the keys up to r + offset.
  "offset", "tileRows", "keyBlock",
  // Of an item: how a batch's queries, and in split backward its keys, are shared out.
  "splits", "splitRows", "keySplits", "splitKeys",
  // Places in a thread's workspace, and its size.
  "threadBytes", "atTile", "atTables", "atLeft", "atKeys", "atValues", "atKeyRows", "atQueryRows",
  "atScores", "atGradients", "atState",
  "lse", "table", "qScale", "kScale", "vScale",
  ...(["q", "k", "v", "y", "dy", "dq", "dk", "dv"] as const).flatMap(
    (name) => [name, `${name}Outer`, `${name}Inner`, `${name}Row`] as const,
  ),
] as const; // prettier-ignore

export type AttentionWord = (typeof NAMES)[number];

/** Which word of the argument block holds what. */
export const ATTENTION_WORD = Object.fromEntries(NAMES.map((name, i) => [name, i])) as Readonly<
  Record<AttentionWord, number>
>;

/** First word of the uniforms, and the counter of claimed items, in a cache line of its own. */
export const UNIFORMS = 128;
export const NEXT_ITEM = 224;

/** A function's body: its code, the argument block's address, and local variables by name. */
export class Body {
  readonly code: Code;
  readonly base: Local;
  private readonly locals: NamedLocals;

  constructor(code: Code, base: Local) {
    this.code = code;
    this.base = base;
    this.locals = new NamedLocals(code);
  }

  /** A local variable by name. */
  local(name: string): Local {
    return this.locals.get(name);
  }

  /** Pushes an argument. */
  word(word: AttentionWord): Code {
    return this.code.get(this.base).memory("i32.load", ATTENTION_WORD[word] * 4);
  }

  /** An argument in a local, loaded by {@link load}. */
  value(word: AttentionWord): Local {
    return this.local(`argument ${word}`);
  }

  load(list: readonly AttentionWord[]): void {
    for (const word of list) this.word(word).set(this.value(word));
  }

  /** Pushes the address of the uniforms, and that of the constants. */
  context(): Code {
    this.code.get(this.base).i32(UNIFORMS * 4).op("i32.add");
    return this.word("constants");
  }

  /** Finds the matrices of a batch: their addresses by name, their rows by the argument. */
  locate(batch: Local, matrices: readonly AttentionMatrix[]): void {
    const { code } = this;
    const [outer, inner] = [this.local("outer"), this.local("inner")];
    code.get(batch);
    this.word("inner").op("i32.div_u").set(outer);
    code.get(batch);
    this.word("inner").op("i32.rem_u").set(inner);
    for (const name of matrices) {
      this.word(name).get(outer);
      this.word(`${name}Outer`).op("i32.mul").op("i32.add").get(inner);
      this.word(`${name}Inner`).op("i32.mul").op("i32.add").set(this.local(name));
      this.word(`${name}Row`).set(this.value(`${name}Row`));
    }
    this.word("lse").get(batch).get(this.value("queries")).op("i32.mul").i32(2).op("i32.shl");
    code.op("i32.add").set(this.local("lse"));
  }

  /** Pushes the address of a row of a matrix. */
  row(name: AttentionMatrix, row: Local): Code {
    return this.code
      .get(this.local(name))
      .get(row)
      .get(this.value(`${name}Row`))
      .op("i32.mul")
      .op("i32.add");
  }

  /** Pushes a place in this thread's workspace. */
  place(memory: Local, word: AttentionWord): Code {
    return this.word(word).get(memory).op("i32.add");
  }
} // prettier-ignore
