/** Element and column numbers of the lanes of a loop. */
import { operands, type IndexAxis, type Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import { pushUniform, pushVector, type Frame } from "./frame.ts";
import type { Position } from "./streams.ts";

type Axis = Exclude<IndexAxis, "row">;

const constantOf = ({ node }: Value): number => (node.kind === "constant" ? node.value | 0 : 0);

/** n · times + base, n the element's or the column's number. */
interface Counted {
  readonly axis: Axis;
  readonly times: number;
  /** Name of a uniform; null for 0. */
  readonly base: string | null;
}

/** What is counted along with a loop. */
interface Counter extends Counted {
  readonly count: Local;
  /** base + 0 to 3 times `times`, base + 4 to 7 times, and so on. */
  readonly offsets: Local[];
}

/** Counts along with a loop, for those numbers that its values read. */
export class IndexLanes {
  private readonly frame: Frame;
  private readonly position: Position;
  private readonly counters = new Map<string, Counter>();

  constructor(frame: Frame, roots: readonly Value[], position: Position) {
    this.frame = frame;
    this.position = position;
    for (const value of countedAmong(roots)) {
      const counted = countedBy(value);
      if (counted)
        this.counters.set(keyOf(counted), { ...counted, count: frame.code.local("i32"), offsets: [] });
    }
  }

  /** Sets the counters to the position, for turns of up to `width` vectors. */
  start(width: number): void {
    const { code } = this.frame;
    for (const { axis, times, base, count, offsets } of this.counters.values()) {
      for (let u = 0; u < width; u++) {
        const [a, b, c, d] = [0, 1, 2, 3].map((lane) => Math.imul(4 * u + lane, times));
        const offset = code.local("v128");
        pushVector(this.frame, [a, b, c, d]);
        if (base !== null) pushUniform(this.frame, base).op("i32x4.add");
        code.set(offset);
        offsets.push(offset);
      }
      const from = this.position[axis];
      if (!from) throw new RangeError(`logrung: this kernel shape has no ${axis} number here`);
      code.get(from);
      if (times !== 1) code.i32(times).op("i32.mul");
      code.set(count);
    }
  }

  /** Pushes the numbers of vector `u`: the counter in all lanes plus a constant, which V8 can widen to 256 bits. */
  push(value: Value, u: number): void {
    const counter = this.counters.get(keyOf(countedBy(value)));
    if (!counter) throw new RangeError("logrung: a number is not counted here");
    const { count, offsets } = counter;
    this.frame.code.get(count).op("i32x4.splat").get(offsets[u]).op("i32x4.add");
  }

  /** Moves on by a number of elements. */
  advance(elements: number): void {
    for (const { count, times } of this.counters.values())
      this.frame.code.get(count).i32(Math.imul(elements, times)).op("i32.add").set(count);
  }
}

const keyOf = (counted: Counted | null): string =>
  counted ? `${counted.axis} ${counted.times} ${counted.base ?? ""}` : "";

/** What a value counts; null for values that count nothing. Multiples of a number, and a uniform more, are counted like it. */
export function countedBy({ node }: Value): Counted | null {
  if (node.kind === "index") return node.axis === "row" ? null : { axis: node.axis, times: 1, base: null };
  if (node.kind !== "binary") return null;
  const { a, b } = node;
  const counted = countedBy(a);
  if (node.op === "mul" && a.node.kind === "index" && b.node.kind === "constant")
    return counted && { ...counted, times: constantOf(b) };
  if (node.op === "add" && counted?.base === null && b.node.kind === "uniform")
    return { ...counted, base: b.node.name };
  return null;
}

/** What is counted of all that `roots` are computed from, leaving out what is counted as a part of it. */
function countedAmong(roots: readonly Value[]): Value[] {
  const seen = new Set<Value>();
  const visit = (value: Value): Value[] => {
    if (seen.has(value)) return [];
    seen.add(value);
    return countedBy(value) ? [value] : operands(value).flatMap(visit);
  };
  return roots.flatMap(visit);
}
