/**
 * Look-ups some turns ahead of their use, through a ring of entries in scratch memory.
 *
 * WebAssembly has no gather: a vector of entries takes four scalar loads and three inserted lanes, on the one unit that
 * shuffles, and all of a turn's come before the arithmetic that waits for them. Here the entries of a later turn are
 * copied one by one between the vector operations of this one, which leave the units for scalars idle, and a turn
 * loads whole vectors.
 */
import { operands, storageBytes, type Node, type Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import type { Emitter } from "./expression.ts";
import type { Stream } from "./streams.ts";

/** Elements of a turn. */
const TURN = 16;
/**
 * Turns ahead. With one, loads of 32 bytes come before the stores of four bytes that they span have left the store buffer,
 * and wait for them. Codes of one byte are read up to 64 bytes past the end of a buffer, as its padding allows.
 */
const AHEAD = 4;
/** Turns that the ring holds: a power of two above {@link AHEAD}. */
const RING = 8;
const RING_BYTES = RING * TURN * 4;
/** What lies below the rings is for others. */
const RINGS = 64;
/** Vector operations that a look-up wants beside it: with fewer it would only add a store and a load. */
const WORTHWHILE = 24;
/** How much of a turn's operations the copies are spread over. */
const SHARE = 0.9;

interface Lookup {
  readonly value: Value;
  readonly table: Local;
  readonly codes: Stream;
}

/** The look-ups of one loop in turns of 16 elements. */
export class LookAhead {
  private readonly emitter: Emitter;
  private readonly scratch: Local;
  private readonly lookups: readonly Lookup[];
  private readonly operations: number;
  /** Where in the first ring the entries of this turn lie, and where the next ones go. */
  private readonly current: Local;
  private readonly next: Local;
  private pending: (() => void)[] = [];
  private done = 0;

  private constructor(emitter: Emitter, scratch: Local, lookups: readonly Lookup[], operations: number) {
    this.emitter = emitter;
    this.scratch = scratch;
    this.lookups = lookups;
    this.operations = operations;
    this.current = emitter.frame.code.local("i32");
    this.next = emitter.frame.code.local("i32");
  }

  /**
   * The look-ups among a loop's values that are worth it; null where there are none, or no scratch memory.
   *
   * @param codesOf the stream of an input.
   */
  static of(
    emitter: Emitter,
    values: ReadonlySet<Value>,
    codesOf: (value: Value) => Stream,
  ): LookAhead | null {
    const { scratch } = emitter.frame;
    if (!scratch) return null;
    const varying = [...values].filter((value) => emitter.level(value) === 2);
    const lookups = varying.flatMap((value): Lookup[] => {
      const { node } = value;
      if (node.kind !== "lookup" || !isByWord(emitter, node)) return [];
      const codes = codesOf(node.at);
      return codes.bytes === 1 ? [{ value, table: emitter.tableAddress(node.table), codes }] : [];
    });
    const operations = varying.filter((value) => operands(value).length > 0).length;
    if (lookups.length === 0 || operations < WORTHWHILE * lookups.length) return null;
    return new LookAhead(emitter, scratch, lookups, operations);
  }

  /** What is looked up. */
  get values(): Value[] {
    return this.lookups.map(({ value }) => value);
  }

  /** Before the loop: looks up what its first turns use. */
  start(): void {
    const { code } = this.emitter.frame;
    for (const at of [this.current, this.next]) code.get(this.scratch).set(at);
    for (let turn = 0; turn < AHEAD; turn++) {
      for (const copy of this.copies(turn)) copy();
      this.step(this.next);
    }
  }

  /** At the start of a turn. */
  begin(): void {
    this.pending = this.copies(AHEAD);
    this.done = 0;
  }

  /** After each vector operation of a turn: copies its share. */
  between(): void {
    this.done++;
    const copies = this.lookups.length * TURN;
    const due = Math.round((copies * this.done) / (this.operations * SHARE));
    while (this.pending.length > 0 && copies - this.pending.length < due) this.pending.shift()?.();
  }

  /** At the end of a turn, before it stores: copies what is left. */
  finish(): void {
    for (const copy of this.pending.splice(0)) copy();
  }

  /** To the next turn. */
  advance(): void {
    for (const at of [this.current, this.next]) this.step(at);
  }

  /** Pushes the entries of vector `u`. @returns whether the value is looked up here at all. */
  push(value: Value, u: number): boolean {
    const ring = this.lookups.findIndex((each) => each.value === value);
    if (ring < 0) return false;
    this.emitter.frame.code.get(this.current).memory("v128.load", RINGS + ring * RING_BYTES + 16 * u);
    return true;
  }

  /** One function for each entry of a turn, which copies it. */
  private copies(turn: number): (() => void)[] {
    const { code } = this.emitter.frame;
    return this.lookups.flatMap(({ table, codes }, ring) =>
      Array.from({ length: TURN }, (_, lane) => () => {
        code.get(this.next);
        code.get(codes.pointer).memory("i32.load8_u", turn * TURN + lane);
        code.i32(2).op("i32.shl").get(table).op("i32.add").memory("i32.load");
        code.memory("i32.store", RINGS + ring * RING_BYTES + 4 * lane);
      }),
    );
  }

  /** at ← scratch + (at - scratch + a turn) modulo the ring */
  private step(at: Local): void {
    const { code } = this.emitter.frame;
    code.get(at).get(this.scratch).op("i32.sub").i32(4 * TURN).op("i32.add"); // prettier-ignore
    code.i32(RING_BYTES - 1).op("i32.and").get(this.scratch).op("i32.add").set(at); // prettier-ignore
  }
}

/** Whether a look-up finds words by a code from memory. */
const isByWord = (emitter: Emitter, node: Node & { kind: "lookup" }): boolean =>
  emitter.isUnsignedElement(node.at) && storageBytes[emitter.graph.storage(node)] === 4;
