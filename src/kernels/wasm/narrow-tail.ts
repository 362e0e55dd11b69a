/**
 * The end of a computation whose result is a byte, in lanes of 16 bits: small integers are narrowed as soon as they are
 * small, and one instruction serves eight elements in place of four.
 */
import { operands, type BinaryOp, type Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import type { Emitter, Lanes } from "./expression.ts";
import { pushSplat } from "./frame.ts";
import { Intervals, inside } from "./intervals.ts";
import type { PlainOp } from "./opcodes.ts";

const OPERATIONS: Readonly<Partial<Record<BinaryOp, PlainOp>>> = {
  and: "v128.and", or: "v128.or", xor: "v128.xor", add: "i16x8.add", sub: "i16x8.sub",
  min: "i16x8.min_s", max: "i16x8.max_s", eq: "i16x8.eq", ne: "i16x8.ne", lt: "i16x8.lt_s", gt: "i16x8.gt_s",
  le: "i16x8.le_s", ge: "i16x8.ge_s",
}; // prettier-ignore

const isZero = ({ node }: Value): boolean => node.kind === "constant" && node.value === 0;

/** Which values of stores of bytes are computed in 16 bits. The others, whose operands are, are narrowed from 32. */
export class NarrowTail {
  /** What is narrowed. */
  readonly leaves: readonly Value[];
  private readonly emitter: Emitter;
  private readonly intervals: Intervals;
  /** What is stored and computed here. */
  readonly roots: ReadonlySet<Value>;
  private readonly narrow = new Set<Value>();

  /** @param stored what is stored; only those of which something can be computed in 16 bits are {@link roots}. */
  constructor(emitter: Emitter, stored: readonly Value[]) {
    this.emitter = emitter;
    this.intervals = new Intervals(emitter.graph);
    this.collect(stored);
    this.roots = new Set(stored.filter((value) => this.narrow.has(value)));
    this.leaves = this.leavesOf(this.roots);
  }

  /**
   * Leaves vectors `half` and `half + 2` of a turn, side by side, in a local for each of {@link roots}.
   *
   * @param pushBytes pushes these eight elements of an input of bytes, each in 16 bits.
   */
  write(
    half: 0 | 1,
    vectors: readonly Lanes[],
    pushBytes: (value: Value, half: 0 | 1) => void,
  ): { readonly results: ReadonlyMap<Value, Local>; readonly locals: readonly Local[] } {
    const { code } = this.emitter.frame;
    const done = new Map<Value, Local>();
    const push = (value: Value): void => {
      const known = done.get(value);
      if (known) {
        code.get(known);
        return;
      }
      compute(value);
      if (value.node.kind === "constant") return;
      const local = code.local("v128");
      code.tee(local);
      done.set(value, local);
    };
    const compute = (value: Value): void => {
      const { node } = value;
      if (node.kind === "constant") {
        pushSplat(this.emitter.frame, Math.imul(node.value & 0xffff, 0x10001));
        return;
      }
      if (this.isBytes(value)) return pushBytes(value, half);
      if (!this.narrow.has(value)) {
        for (const lanes of [vectors[half], vectors[half + 2]]) this.emitter.push(value, lanes);
        code.op("i16x8.narrow_i32x4_s");
        return;
      }
      if (node.kind === "select") {
        const { condition, yes, no } = node;
        const kept = isZero(no) ? yes : isZero(yes) ? no : null;
        for (const operand of kept ? [kept, condition] : [yes, no, condition]) push(operand);
        code.op(kept === null ? "v128.bitselect" : isZero(no) ? "v128.and" : "v128.andnot");
        return;
      }
      operands(value).forEach(push);
      if (node.kind === "binary") code.op(OPERATIONS[node.op] ?? "unreachable");
      else if (node.kind === "unary" && node.op === "neg") code.op("i16x8.neg");
    };
    const results = new Map<Value, Local>();
    for (const root of this.roots) {
      const result = code.local("v128");
      push(root);
      code.set(result);
      results.set(root, result);
    }
    return { results, locals: [...done.values(), ...results.values()] };
  }

  /** Takes in values whose every use is in 16 bits, uses before operands. */
  private collect(stored: readonly Value[]): void {
    const taken = new Map<Value, number>();
    for (const value of stored) taken.set(value, (taken.get(value) ?? 0) + 1);
    const waiting = [...taken.keys()];
    for (let value = waiting.pop(); value; value = waiting.pop()) {
      const uses = taken.get(value) ?? 0;
      if (this.narrow.has(value) || uses < this.emitter.graph.uses(value) || !this.computable(value))
        continue;
      this.narrow.add(value);
      for (const operand of operands(value)) {
        taken.set(operand, (taken.get(operand) ?? 0) + 1);
        waiting.push(operand);
      }
    }
  }

  /** Those of what is stored first come first. */
  private leavesOf(stored: Iterable<Value>): Value[] {
    const seen = new Set<Value>();
    const visit = (value: Value): Value[] => {
      if (seen.has(value)) return [];
      seen.add(value);
      if (this.narrow.has(value)) return operands(value).flatMap(visit);
      return this.isLeaf(value) ? [value] : [];
    };
    return [...stored].flatMap(visit);
  }

  private computable(value: Value): boolean {
    const { node } = value;
    if (this.emitter.level(value) < 2 || node.kind === "input") return false;
    if (node.kind === "select") return value.type !== "bool" && this.fit([node.yes, node.no]);
    if (node.kind === "unary")
      return (node.op === "neg" || node.op === "asI32" || node.op === "asU32") && this.fit([value, node.x]);
    if (node.kind !== "binary" || node.a.type === "f32" || !OPERATIONS[node.op]) return false;
    if (value.type === "bool") return node.a.type !== "bool" && this.fit([node.a, node.b]);
    // What saturates as it is narrowed is as good where it is bounded next.
    if (node.op === "max" || node.op === "min") return this.fit([node.b]);
    return this.fit([value, node.a, node.b]);
  }

  private fit(values: readonly Value[]): boolean {
    return values.every((value) => inside(this.intervals.of(value), 2 ** 15));
  }

  private isLeaf(value: Value): boolean {
    return !this.narrow.has(value) && value.node.kind !== "constant" && !this.isBytes(value);
  }

  /** Whether a value is an input of bytes that changes from element to element. */
  private isBytes(value: Value): boolean {
    const { graph } = this.emitter;
    return (
      value.node.kind === "input" && this.emitter.level(value) === 2 && graph.storage(value.node) === "u8"
    );
  }
}
